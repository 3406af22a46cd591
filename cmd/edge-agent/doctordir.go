package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/edge-agent/edge-agent/agent"
	"github.com/edge-agent/edge-agent/persist"
)

// secretFiles looks at who else may read the files that hold a password or a key.
func (d *doctor) secretFiles(flags configFlags) {
	b := d.settings.Broker
	files := []string{b.PasswordFile, b.Key}
	if path, _ := flags.file(os.Environ()); holdsSecret(path, d.settings) {
		files = append(files, path)
	}
	for _, path := range slices.DeleteFunc(files, func(path string) bool { return path == "" }) {
		const check = "secrets"
		info, err := os.Stat(path)
		switch {
		case err != nil:
			d.wrong(check, "mend the path in the configuration, or put the file there", "%v", err)
		case unix.Access(path, unix.R_OK) != nil:
			d.wrong(check, "make it the agent's own: chown edge-agent "+path, "%s cannot be read by this user", path)
		case info.Mode().Perm()&0o037 != 0:
			d.wrong(check, "chmod 0600 "+path, "%s has mode %04o: others can read or change it", path, info.Mode().Perm())
		default:
			d.fine(check, "%s has mode %04o", path, info.Mode().Perm())
		}
	}
}

// holdsSecret reports whether a configuration file has one of the secrets in it.
func holdsSecret(path string, s settings) bool {
	text, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(configuredSecrets(s), func(secret string) bool {
		return bytes.Contains(text, []byte(secret))
	})
}

// Amounts of free space in bytes.
const (
	scarce = 256 << 20 // below this there is no room for a full store and a second copy to tidy it
	full   = 16 << 20  // below this the agent soon keeps nothing more
)

// stateDirectory looks at where everything is kept that must survive.
func (d *doctor) stateDirectory() {
	const check = "state directory"
	dir := d.settings.StateDir
	info, err := os.Stat(dir)
	for parent := dir; errors.Is(err, fs.ErrNotExist); {
		if next := filepath.Dir(parent); next != parent {
			parent = next
		} else {
			break
		}
		if _, missing := os.Stat(parent); missing != nil {
			continue
		}
		if err := unix.Access(parent, unix.W_OK|unix.X_OK); err != nil {
			d.wrong(check, "make it for the agent's user, or choose another with --state-dir",
				"%s does not exist, and this user cannot make it in %s: %v", dir, parent, err)
		} else {
			d.fine(check, "%s does not exist yet; edge-agent run makes it", dir)
		}
		d.fileSystem(parent)
		return
	}
	switch {
	case err != nil:
		d.wrong(check, "run as the agent's user, or choose another with --state-dir", "%v", err)
		return
	case !info.IsDir():
		d.wrong(check, "choose another with --state-dir", "%s is no directory", dir)
		return
	}
	if err := unix.Access(dir, unix.R_OK|unix.W_OK|unix.X_OK); err != nil {
		owner := ownerOf(dir)
		d.wrong(check, "run as its owner: sudo -u "+owner.name+" edge-agent doctor",
			"%s belongs to %s and cannot be written by this user: %v", dir, owner.name, err)
	} else if mode := info.Mode().Perm(); mode&0o077 != 0 {
		d.warn(check, "chmod 0700 "+dir, "%s has mode %04o: others can look into it", dir, mode)
	} else {
		d.fine(check, "%s can be written", dir)
	}
	d.fileSystem(dir)
}

// fileSystems are the kinds that promise less than a disk does, by the number the kernel gives them.
var fileSystems = map[uint32]struct {
	name, trouble, next string
	verdict             outcome
}{
	0x01021994: {"tmpfs", "it is memory: all state is lost at a restart of the machine", "choose a directory on a disk", warning},
	0x858458f6: {"ramfs", "it is memory: all state is lost at a restart of the machine", "choose a directory on a disk", warning},
	0x794c7630: {"overlayfs", "it is the top layer of a container, and goes with it", "mount a volume there", warning},
	0x65735546: {"fuse", "what it keeps through a power cut is up to another program", "choose a local disk", warning},
	0x01021997: {"9p", "it is the host's: locks and syncs may do nothing", "choose a local disk", warning},
	0x00004d44: {"vfat", "it has no owners and no journal", "choose ext4, xfs, btrfs or f2fs", warning},
	0x2011bab0: {"exfat", "it has no owners and no journal", "choose ext4, xfs, btrfs or f2fs", warning},
	0x00006969: {"nfs", "locks and syncs over a network are no promise", "choose a local disk", problem},
	0xff534d42: {"cifs", "locks and syncs over a network are no promise", "choose a local disk", problem},
	0xfe534d42: {"smb", "locks and syncs over a network are no promise", "choose a local disk", problem},
	0x73717368: {"squashfs", "it can only be read", "choose another with --state-dir", problem},
	0x0000ef53: {name: "ext4"}, 0x58465342: {name: "xfs"}, 0x9123683e: {name: "btrfs"}, 0xf2f52010: {name: "f2fs"},
}

// fileSystem looks at what the state stands on.
func (d *doctor) fileSystem(dir string) {
	const space, kind = "free space", "file system"
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		d.wrong(kind, "choose another with --state-dir", "%s: %v", dir, err)
		return
	}
	free := uint64(fs.Bavail) * uint64(fs.Bsize)
	switch {
	case fs.Files > 0 && fs.Ffree == 0:
		d.wrong(space, "delete small files that are of no more use", "no more files can be made in %s", dir)
	case free < full:
		d.wrong(space, "make room: the agent keeps and acknowledges nothing on a full disk", "%d MiB in %s", free>>20, dir)
	case free < scarce:
		d.warn(space, "make room", "%d MiB in %s, where a full store takes %d", free>>20, dir, scarce>>20)
	default:
		d.fine(space, "%d MiB", free>>20)
	}
	known, ok := fileSystems[uint32(fs.Type)]
	switch {
	case known.verdict == problem:
		d.wrong(kind, known.next, "%s: %s", known.name, known.trouble)
	case known.verdict == warning:
		d.warn(kind, known.next, "%s: %s", known.name, known.trouble)
	case known.name == "ext4" && loosensCommits(dir):
		d.warn(kind, "take a newer kernel, or tune2fs -O ^fast_commit",
			"ext4 with fast_commit, which this kernel can spoil in a power cut")
	case ok:
		d.fine(kind, "%s", known.name)
	default:
		d.fine(kind, "number %#x", uint32(fs.Type))
	}
}

// loosensCommits reports whether a directory is on an ext4 whose fast commits this kernel has not mended.
func loosensCommits(dir string) bool {
	var st unix.Stat_t
	var system unix.Utsname
	if unix.Stat(dir, &st) != nil || unix.Uname(&system) != nil {
		return false
	}
	device := fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(uint64(st.Dev)), unix.Minor(uint64(st.Dev)))
	name, err := os.Readlink(device)
	if err != nil {
		return false
	}
	options, err := os.ReadFile("/proc/fs/ext4/" + filepath.Base(name) + "/options")
	return err == nil && slices.Contains(strings.Fields(string(options)), "fast_commit") &&
		!mendedFastCommit(unix.ByteSliceToString(system.Release[:]))
}

// mendedFastCommit reports whether a kernel keeps what an ext4 with fast_commit was given: from 5.10.94, 5.15.27 and
// 5.17 on.
func mendedFastCommit(release string) bool {
	number := func(text string) int {
		end := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
		if end < 0 {
			end = len(text)
		}
		n, _ := strconv.Atoi(text[:end]) // no digits count as 0
		return n
	}
	parts := append(strings.SplitN(release, ".", 3), "", "")
	have := []int{number(parts[0]), number(parts[1]), number(parts[2])}
	for _, mended := range [][]int{{5, 10, 94}, {5, 15, 27}} {
		if slices.Equal(have[:2], mended[:2]) {
			return have[2] >= mended[2]
		}
	}
	return slices.Compare(have, []int{5, 17, 0}) >= 0
}

// fileOwner is who a file belongs to.
type fileOwner struct {
	uid    uint32
	groups []uint32
	name   string
}

// ownerOf gives the owner of a file with all groups of that user, or this process where there is no such file.
func ownerOf(path string) fileOwner {
	o := fileOwner{uid: uint32(os.Geteuid())}
	var st unix.Stat_t
	if unix.Stat(path, &st) == nil {
		o.uid, o.groups = st.Uid, []uint32{st.Gid}
	}
	o.name = strconv.Itoa(int(o.uid))
	u, err := user.LookupId(o.name)
	if err != nil {
		return o
	}
	o.name = cmp.Or(u.Username, o.name)
	ids, _ := u.GroupIds() // without a list of groups there is only the file's
	for _, id := range ids {
		if n, err := strconv.ParseUint(id, 10, 32); err == nil {
			o.groups = append(o.groups, uint32(n))
		}
	}
	return o
}

// store looks at what is kept, and by whom it is held.
func (d *doctor) store() {
	const check = "store"
	path := filepath.Join(d.settings.StateDir, "state.db")
	if _, err := os.Stat(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			d.fine(check, "nothing is kept yet")
		} // else the state directory has been found wanting already
		return
	}
	store, err := openState(d.settings.StateDir)
	var locked *persist.LockedError
	if errors.As(err, &locked) {
		d.holder = locked
		d.fine(check, "held by %s", holderName(locked))
		return
	}
	if err != nil {
		next := asFailure(err).Hint
		if errors.Is(err, fs.ErrPermission) {
			next = "run as its owner: sudo -u " + ownerOf(path).name + " edge-agent doctor"
		}
		d.wrong(check, next, "%v", err)
		return
	}
	defer store.Close()
	inv, err := store.Inspect()
	if err != nil {
		d.wrong(check, "edge-agent state verify says more", "%v", err)
		return
	}
	d.kept = &inv
	_, unclean, err := store.Get(agent.NodeBucket, runningKey)
	switch {
	case err != nil || len(inv.Problems) > 0:
		d.wrong(check, "edge-agent state verify lists them; edge-agent run goes on from what is good",
			"%d problems in it", max(1, len(inv.Problems)))
	case unclean:
		d.warn(check, "find out why in its log: journalctl -u edge-agent", "schema %d, %d daemons, all good; but the agent was not stopped in order",
			persist.Schema, len(inv.Daemons))
	default:
		d.fine(check, "schema %d, %d daemons, all good, stopped in order", persist.Schema, len(inv.Daemons))
	}
	if inv.Poison > 0 {
		d.poison(inv.Poison)
	}
}

func (d *doctor) poison(n int) {
	d.warn("poison", "edge-agent state poison lists them", "%d events were set aside because they crashed their daemon", n)
}

func holderName(e *persist.LockedError) string {
	if e.PID == 0 {
		return "another process"
	}
	return fmt.Sprintf("process %d since %s", e.PID, e.Since.Format(time.RFC3339))
}
