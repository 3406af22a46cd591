package probe

import "testing"

func TestOSIsReadFromItsReleaseFile(t *testing.T) {
	wantTags(t, osSubject(), machine{
		"/etc/os-release":            "-> ../usr/lib/os-release",
		"/usr/lib/os-release":        "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n",
		"/proc/sys/kernel/osrelease": "6.1.0-25-arm64\n",
	}, `
		software.os=debian
		software.os_version=12
		software.kernel=6.1.0-25-arm64`)
}
