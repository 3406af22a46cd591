package main

import (
	"runtime"
	"runtime/debug"
)

// Set by the linker: -X main.version=… -X main.commit=…; without it the module's build information is used.
var (
	version string
	commit  string
)

// build says what this program is.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func currentBuild() build {
	b := build{Version: version, Commit: commit, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if ok && b.Commit == "" {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				b.Commit = setting.Value
			}
		}
	}
	if ok && b.Version == "" && info.Main.Version != "(devel)" {
		b.Version = info.Main.Version
	}
	if b.Version == "" {
		b.Version = "development"
	}
	return b
}

type versionCommand struct{}

func (versionCommand) Run(con *console) error {
	b := currentBuild()
	text := "edge-agent " + b.Version
	if b.Commit != "" {
		text += " (" + b.Commit + ")"
	}
	return con.PrintText(b, text+", "+b.Go+", "+b.Platform)
}
