//go:build !(linux && cgo && (amd64 || arm64))

// Command edge-agent-nvml prints what NVIDIA's management library says about this machine's GPUs, as one JSON document.
// This build has no C compiler behind it and can only say how to make one that has.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "edge-agent-nvml: built without cgo, so it cannot reach libnvidia-ml; build it on linux amd64 or")
	fmt.Fprintln(os.Stderr, "arm64 with a C compiler: CGO_ENABLED=1 go build ./cmd/edge-agent-nvml")
	os.Exit(1)
}
