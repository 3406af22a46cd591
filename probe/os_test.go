package probe

import "testing"

func TestOSIsReadFromItsReleaseFile(t *testing.T) {
	wantTags(t, osSubject(), machine{
		"/etc/os-release":                   "-> ../usr/lib/os-release",
		"/usr/lib/os-release":               "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n",
		"/proc/sys/kernel/osrelease":        "6.1.0-25-arm64\n",
		"/lib":                              "-> usr/lib",
		"/usr/lib/ld-linux-aarch64.so.1":    "",
		"/sys/fs/cgroup/cgroup.controllers": "cpu memory\n",
		"/run/systemd/system/":              "",
	}, `
		software.os=debian
		software.os_version=12
		software.kernel=6.1.0-25-arm64
		software.libc=glibc
		software.cgroups=2
		software.init=systemd`)
}

func TestASmallSystemIsRead(t *testing.T) {
	wantTags(t, osSubject(), machine{
		"/etc/os-release":         "ID=alpine\nVERSION_ID=3.20.1\n",
		"/lib/ld-musl-armhf.so.1": "",
		"/sys/fs/cgroup/memory/":  "",
		"/sbin/init":              "-> /bin/busybox",
	}, "software.os=alpine software.os_version=3.20.1 software.libc=musl software.cgroups=1 software.init=busybox")
}
