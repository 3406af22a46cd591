package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/persist"
)

type stateExportCommand struct {
	stateFlags
	Daemon string `arg:"" help:"Id of the daemon."`
	File   string `arg:"" help:"File to write; it must not exist. A single - is the standard output."`
}

// exported is what state export prints.
type exported struct {
	Daemon   mesh.DaemonID `json:"daemon"`
	File     string        `json:"file"`
	Bytes    int           `json:"bytes"`
	Position mesh.Position `json:"position"`
	Replay   int           `json:"replay"` // steps of the journal that the snapshot does not hold
}

func (c stateExportCommand) Run(con *console) error {
	dir, err := c.dir()
	if err != nil {
		return err
	}
	id, err := mesh.ParseDaemonID(c.Daemon)
	if err != nil {
		return fail(exitUsage, err, "edge-agent state ls lists them")
	}
	return stopFirst(readState(dir, func(s *persist.Store) error { return c.export(con, s, id) }))
}

func (c stateExportCommand) export(con *console, s *persist.Store, id mesh.DaemonID) error {
	snap, ok, err := s.Load(id)
	if err != nil {
		return err
	}
	if !ok {
		return fail(exitFailed, fmt.Errorf("daemon %s has no snapshot", id), "edge-agent state ls shows who has one")
	}
	inv, err := s.Inspect()
	if err != nil {
		return err
	}
	body := mesh.AppendSnapshot(nil, &snap)
	if c.File == "-" {
		_, err := con.Out.Write(body)
		return err
	}
	if err := writeNew(c.File, body); err != nil {
		return err
	}
	e := exported{Daemon: id, File: c.File, Bytes: len(body), Position: snap.Position}
	for _, h := range inv.Daemons {
		if h.Daemon == id {
			e.Replay = h.Steps
		}
	}
	text := fmt.Sprintf("%s: %d bytes of %s at position %d", e.File, e.Bytes, id, e.Position)
	if e.Replay > 0 {
		text += fmt.Sprintf("; %d later steps are in the journal only", e.Replay)
	}
	return con.PrintText(e, text)
}

// writeNew makes a file that was not there, for its owner only.
func writeNew(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fail(exitRefused, err, "name a file that does not exist")
	}
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}
