package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// hotplug gathers which kernel subsystems changed. Any goroutine adds, one takes; ring says that there is something.
type hotplug struct {
	ring chan struct{}

	mu      sync.Mutex
	changed map[string]bool
}

// everything stands for all subsystems: events were lost.
const everything = "*"

const maxChanged = 64 // subsystems; beyond it everything counts as changed

func newHotplug() *hotplug {
	return &hotplug{ring: make(chan struct{}, 1), changed: map[string]bool{}}
}

func (h *hotplug) add(subsystem string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.changed) >= maxChanged {
		subsystem = everything
	}
	h.changed[strings.Clone(subsystem)] = true
	select {
	case h.ring <- struct{}{}:
	default: // not taken yet
	}
}

func (h *hotplug) take() map[string]bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	taken := h.changed
	h.changed = map[string]bool{}
	return taken
}

// listen receives the kernel's events until the context ends. Those of udevd are not subscribed, so that it works
// without one.
func (h *hotplug) listen(ctx context.Context) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK,
		unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return fmt.Errorf("listening for hot-plug events: %w", err)
	}
	socket := os.NewFile(uintptr(fd), "uevents")
	defer socket.Close()
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}); err != nil {
		return fmt.Errorf("listening for hot-plug events: %w", err)
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return fmt.Errorf("listening for hot-plug events: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { socket.Close() })
	defer stop()
	buf := make([]byte, 16<<10)
	for {
		var n int
		var from unix.Sockaddr
		var recvErr error
		err := raw.Read(func(fd uintptr) bool {
			n, from, recvErr = unix.Recvfrom(int(fd), buf, 0)
			return recvErr != unix.EAGAIN && recvErr != unix.EINTR
		})
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("receiving hot-plug events: %w", err)
		case errors.Is(recvErr, unix.ENOBUFS): // the kernel had more to say than fits
			h.add(everything)
		case recvErr != nil:
			return fmt.Errorf("receiving hot-plug events: %w", recvErr)
		default:
			kernel, ok := from.(*unix.SockaddrNetlink)
			if subsystem, valid := parseUevent(buf[:n]); ok && kernel.Pid == 0 && valid {
				h.add(subsystem)
			}
		}
	}
}

// parseUevent finds the subsystem in "ACTION@DEVPATH\0KEY=VALUE\0…".
func parseUevent(event []byte) (subsystem string, ok bool) {
	head, rest, _ := bytes.Cut(event, []byte{0})
	if !bytes.Contains(head, []byte("@/")) {
		return "", false
	}
	for field := range bytes.SplitSeq(rest, []byte{0}) {
		if value, found := bytes.CutPrefix(field, []byte("SUBSYSTEM=")); found && len(value) > 0 && len(value) <= 64 {
			return string(value), true
		}
	}
	return "", false
}
