package probe

import (
	"strings"
)

func osSubject() Subject {
	return Subject{
		Name:  "os",
		Probe: probeOS,
		Words: []Word{
			{Key: "software.os", Unit: "text", Meaning: "operating system distribution", From: "/etc/os-release", Since: "0.1",
				Nomad: "os.name", NFD: "system-os_release.ID"},
			{Key: "software.os_version", Unit: "text", Meaning: "version of the distribution", From: "/etc/os-release",
				Since: "0.1", Nomad: "os.version", NFD: "system-os_release.VERSION_ID"},
			{Key: "software.kernel", Unit: "text", Meaning: "kernel release", From: "/proc/sys/kernel/osrelease", Since: "0.1",
				Nomad: "kernel.version", NFD: "kernel-version.full", Node: "node_uname_info"},
		},
	}
}

func probeOS(p *Pass) error {
	release, err := p.Read("/etc/os-release")
	if Missing(err) {
		release, err = p.Read("/usr/lib/os-release")
	}
	p.Doubt("software.os", err)
	p.Doubt("software.os_version", err)
	for line := range strings.Lines(release.Raw) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		value = strings.Trim(value, `"'`)
		switch key {
		case "ID":
			p.Value("software.os", value, release.With(line))
		case "VERSION_ID":
			p.Value("software.os_version", value, release.With(line))
		case "PRETTY_NAME":
			p.Meta("os", value)
		}
	}
	kernel, err := p.Read("/proc/sys/kernel/osrelease")
	p.Doubt("software.kernel", err)
	p.Value("software.kernel", kernel.Text(), kernel)
	return nil
}
