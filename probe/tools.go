package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

// Tools runs a program of the list below and gives its standard output.
type Tools func(ctx context.Context, name string, args ...string) ([]byte, error)

// maxOutput bounds what one program may say.
const maxOutput = 1 << 20

// errNoTool means that the program is not installed, or that this tree has none to run.
var errNoTool = errors.New("no such tool")

// listed is every program the probe may ever start.
var listed = [...]string{"edge-agent-nvml", "nvidia-smi"}

// Tool runs one of the listed programs under the pass's deadline. Its absence is a Missing error.
func (p *Pass) Tool(name string, args ...string) (Evidence, error) {
	e := Evidence{Path: "tool:" + name}
	if p.tools == nil {
		return e, syscall.ENODEV
	}
	out, err := p.tools(p.ctx, name, args...)
	if errors.Is(err, errNoTool) || errors.Is(err, exec.ErrNotFound) {
		return e, syscall.ENODEV
	}
	e.Raw = string(out)
	return e, err
}

// Installed runs the programs of this machine.
func Installed(ctx context.Context, name string, args ...string) ([]byte, error) {
	if name != listed[0] && name != listed[1] {
		return nil, fmt.Errorf("running %s: %w", name, errNoTool)
	}
	return output(ctx, name, args...)
}

// output runs a program for what it prints. It and its children are killed when the context ends or it prints too much.
func output(ctx context.Context, name string, args ...string) ([]byte, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	cmd := exec.CommandContext(ctx, name, args...)
	out := &limited{left: maxOutput, full: stop}
	cmd.Stdout = out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 100 * time.Millisecond
	if err := cmd.Run(); err != nil {
		return out.kept.Bytes(), fmt.Errorf("running %s: %w", name, err)
	}
	return out.kept.Bytes(), nil
}

// limited keeps output up to a size, and stops whoever writes more. It does not embed the buffer, whose ReadFrom would
// go around Write.
type limited struct {
	kept bytes.Buffer
	left int
	full func()
}

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.left {
		l.full()
		return 0, errors.New("output too long")
	}
	l.left -= len(p)
	return l.kept.Write(p)
}
