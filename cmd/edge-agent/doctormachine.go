package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/edge-agent/edge-agent/probe"
)

// machine looks at what the agent needs of the machine itself.
func (d *doctor) machine(ctx context.Context) {
	d.clock(time.Now())
	d.entropy()
	d.descriptors()
	d.hardware(ctx)
	d.devices("/dev")
}

// built is a time that no clock can rightly be before.
var built = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

func (d *doctor) clock(now time.Time) {
	const check = "clock"
	var state unix.Timex
	status, err := unix.Adjtimex(&state)
	switch {
	case now.Before(built):
		d.wrong(check, "set it, or run a time service: certificates seem not valid yet", "%s cannot be", now.Format(time.RFC3339))
	case err == nil && (status == unix.TIME_ERROR || state.Status&unix.STA_UNSYNC != 0):
		d.warn(check, "run a time service such as chrony, or ignore this in a container",
			"%s; the kernel does not know it as synchronised", now.Format(time.RFC3339))
	default:
		d.fine(check, "%s", now.Format(time.RFC3339))
	}
}

func (d *doctor) entropy() {
	const check = "entropy"
	if _, err := unix.Getrandom(make([]byte, 16), unix.GRND_NONBLOCK); errors.Is(err, unix.EAGAIN) {
		d.wrong(check, "wait, or give the machine a source such as rngd", "the kernel has no random numbers yet, so no start is possible")
		return
	}
	d.fine(check, "random numbers are at hand")
}

// descriptors looks at how many files the agent, or else this process, may have open.
func (d *doctor) descriptors() {
	const check = "open files"
	pid, whose := 0, "a process started here"
	if d.holder != nil && d.holder.PID > 0 {
		pid, whose = d.holder.PID, "the agent"
	}
	var limit unix.Rlimit
	err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &limit)
	if err != nil {
		pid, whose = 0, "a process started here"
		err = unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &limit)
	}
	switch {
	case err != nil:
		d.warn(check, "see ulimit -n", "the limit cannot be read: %v", err)
	case limit.Cur < 256:
		d.wrong(check, "raise it: LimitNOFILE= in the service, or ulimit -n", "%s may have %d", whose, limit.Cur)
	case limit.Cur < 1024:
		d.warn(check, "raise it: LimitNOFILE= in the service, or ulimit -n", "%s may have %d", whose, limit.Cur)
	default:
		d.fine(check, "%s may have %d", whose, limit.Cur)
	}
}

// hardware probes this machine and names what could not be told.
func (d *doctor) hardware(ctx context.Context) {
	const check = "machine"
	r, err := probe.Run(ctx, d.settings.Probe.options(probe.Options{}))
	if err != nil {
		d.wrong(check, "edge-agent probe says more", "%v", err)
		return
	}
	d.probed = r
	if unsure := troubles(r); len(unsure) > 0 {
		d.warn(check, "edge-agent probe says more; run as the agent's user", "%s", strings.Join(unsure, "; "))
	} else {
		d.fine(check, "%d tags, and every subject had an answer", len(r.Facts))
	}
	if slices.ContainsFunc(r.Facts, func(f probe.Fact) bool { return f.Tag.String() == "hardware.gpu.vendor=nvidia" }) {
		d.nvidia()
	}
}

// nvidia looks for the programs that tell more of NVIDIA's cards than the kernel does.
func (d *doctor) nvidia() {
	const check = "nvidia"
	if path, err := exec.LookPath("edge-agent-nvml"); err == nil {
		d.fine(check, "%s", path)
		return
	}
	found := "edge-agent-nvml is not in the path"
	if path, err := exec.LookPath("nvidia-smi"); err == nil {
		found += "; " + path + " is asked instead, which takes longer"
	}
	d.warn(check, "install edge-agent-nvml: packaging/README.md says how it is built", "%s", found)
}

// deviceFiles are those that the agent or a tool of its opens, as patterns below /dev.
var deviceFiles = []string{"nvidiactl", "nvidia[0-9]*", "nvidia-uvm", "dri/renderD*", "kfd"}

// devices looks at whether the agent's user may open the devices that tell about graphics cards.
func (d *doctor) devices(dev string) {
	const check = "devices"
	who := ownerOf(d.settings.StateDir)
	var closed []string
	seen := 0
	for _, pattern := range deviceFiles {
		paths, _ := filepath.Glob(filepath.Join(dev, pattern)) // every pattern is a good one
		for _, path := range paths {
			seen++
			var st unix.Stat_t
			if err := unix.Stat(path, &st); err != nil || !who.mayUse(st.Uid, st.Gid, st.Mode) {
				closed = append(closed, fmt.Sprintf("%s (mode %04o, group %d)", path, st.Mode&0o777, st.Gid))
			}
		}
	}
	switch {
	case len(closed) > 0:
		d.warn(check, "add the user to the device's group, such as video or render, and restart the agent",
			"%s may not use %s", who.name, strings.Join(closed, ", "))
	case seen > 0:
		d.fine(check, "%s may use all %d of graphics cards", who.name, seen)
	}
}

// mayUse reports whether a file's mode lets the user read and write it.
func (o fileOwner) mayUse(uid, gid, mode uint32) bool {
	const readWrite = 6
	switch {
	case o.uid == 0:
		return true
	case o.uid == uid:
		return mode>>6&readWrite == readWrite
	case slices.Contains(o.groups, gid):
		return mode>>3&readWrite == readWrite
	}
	return mode&readWrite == readWrite
}
