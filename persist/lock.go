package persist

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const lockName = "agent.lock"

// Who only reads does not say so in the lock, and is soon gone.
const (
	lockPatience = 5 * time.Second
	lockPause    = 50 * time.Millisecond
)

// lock takes the state directory, shared for readers, or fails with LockedError naming the holder.
func lock(dir string, shared bool) (*os.File, error) {
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if shared && errors.Is(err, os.ErrPermission) {
		f, err = os.Open(path)
	}
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	how := unix.LOCK_EX
	if shared {
		how = unix.LOCK_SH
	}
	for begun := time.Now(); ; time.Sleep(lockPause) {
		err = unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		readers := errors.Is(err, unix.EWOULDBLOCK) && holder(f, dir).PID == 0
		if !errors.Is(err, unix.EINTR) && !(readers && time.Since(begun) < lockPatience) {
			break
		}
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		defer f.Close()
		return nil, holder(f, dir)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if shared {
		return f, nil
	}
	text := fmt.Sprintf("%d %s\n", os.Getpid(), time.Now().UTC().Format(time.RFC3339))
	if err := errors.Join(f.Truncate(0), writeAt(f, text)); err != nil {
		f.Close()
		return nil, fmt.Errorf("write lock %s: %w", path, err)
	}
	return f, nil
}

func writeAt(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

func holder(f *os.File, dir string) *LockedError {
	e := &LockedError{Dir: dir}
	b := make([]byte, 64)
	n, _ := f.ReadAt(b, 0)
	pid, since, _ := strings.Cut(strings.TrimSpace(string(b[:n])), " ")
	e.PID, _ = strconv.Atoi(pid)
	e.Since, _ = time.Parse(time.RFC3339, since)
	if e.PID <= 0 || errors.Is(unix.Kill(e.PID, 0), unix.ESRCH) {
		return &LockedError{Dir: dir} // the one who wrote it is dead: whoever holds the lock now only reads
	}
	return e
}
