package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/edge-agent/edge-agent/mesh"
)

// socketName is the local door in the state directory.
const socketName = "agent.sock"

// runCommand is the agent.
type runCommand struct {
	configFlags
}

func (c *runCommand) Run(ctx context.Context, con *console) error {
	s, err := c.Settings()
	if err != nil {
		return err
	}
	return serve(ctx, s, kinds(), newLogger(con.Err, s.Log), nil)
}

// serve runs an agent until the context ends; started is called once it takes orders.
func serve(ctx context.Context, s settings, kinds []mesh.Kind, log *slog.Logger, started func(*node)) (err error) {
	n, err := openNode(ctx, s, kinds, log)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	doors, err := n.openDoors(ctx)
	if err == nil {
		log.Info("agent starts", "node", n.id.Node, "fleet", s.Fleet, "state", n.dir, "version", currentBuild().Version)
		go n.announceReady(ctx, started)
		err = n.run(ctx)
		cancel()
		doors()
	}
	if closing := n.close(); closing != nil {
		err = errors.Join(err, closing)
	}
	if errors.Is(err, errReexec) {
		return replaceProcess()
	}
	return err
}

// openDoors serves the socket, and the metrics address if there is one; the function it returns waits until both are
// closed.
func (n *node) openDoors(ctx context.Context) (wait func(), err error) {
	path := filepath.Join(n.dir, socketName)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("removing the old socket: %w", err)
	}
	socket, err := listenPrivately(path)
	if err != nil {
		return nil, fmt.Errorf("opening the local socket: %w", err)
	}
	waits := []func(){n.serveDoor(ctx, socket, n.agent.Door())}
	if n.settings.Metrics != "" {
		listener, err := net.Listen("tcp", n.settings.Metrics)
		if err != nil {
			socket.Close()
			return nil, fail(exitConfig, fmt.Errorf("serving metrics: %w", err), "choose another address with --metrics")
		}
		waits = append(waits, n.serveDoor(ctx, listener, n.agent.Monitoring()))
	}
	return func() {
		for _, wait := range waits {
			wait()
		}
	}, nil
}

// listenPrivately makes a socket that only its owner can open.
func listenPrivately(path string) (net.Listener, error) {
	old := syscall.Umask(0o177)
	defer syscall.Umask(old)
	return net.Listen("unix", path)
}

func (n *node) serveDoor(ctx context.Context, l net.Listener, h http.Handler) (wait func()) {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10, WriteTimeout: time.Minute,
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			n.log.Error("a local door has closed", "address", l.Addr(), "error", err)
		}
	}()
	context.AfterFunc(ctx, func() { server.Close() })
	return func() { <-done }
}

// announceReady tells systemd that the agent takes orders, and then that it lives, as often as systemd asks.
func (n *node) announceReady(ctx context.Context, started func(*node)) {
	select {
	case <-n.agent.Ready():
	case <-ctx.Done():
		return
	}
	n.log.Info("agent is ready", "node", n.id.Node)
	if started != nil {
		started(n)
	}
	n.notify(daemon.SdNotifyReady)
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil || every <= 0 {
		return
	}
	tick := time.NewTicker(every / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			n.notify(daemon.SdNotifyStopping)
			return
		case <-tick.C:
			if n.agent.Alive(ctx) {
				n.notify(daemon.SdNotifyWatchdog)
			}
		}
	}
}

func (n *node) notify(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		n.log.Warn("telling systemd", "state", state, "error", err)
	}
}

// replaceProcess starts this program afresh in the same process, with the same arguments.
func replaceProcess() error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("replacing the process: %w", err)
	}
	return fmt.Errorf("replacing the process: %w", syscall.Exec(self, os.Args, os.Environ()))
}

// newLogger writes to the given stream; the settings were checked when they were read.
func newLogger(w io.Writer, s logSettings) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.Level)); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	if s.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// checkStateCommand is a hidden command: it reads a state file that may be damaged, in a process of its own.
const checkStateCommand = "check-state"
