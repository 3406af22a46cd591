package probe

import "strings"

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
			{Key: "software.libc", Unit: "text", Meaning: "C library programs are linked with: glibc or musl",
				From: "/lib*/ld-*", Since: "0.1"},
			{Key: "software.cgroups", Unit: "number", Meaning: "version of control groups, 1 or 2", From: "/sys/fs/cgroup",
				Since: "0.1", Nomad: "os.cgroups.version"},
			{Key: "software.init", Unit: "text", Meaning: "what starts services: systemd, openrc, busybox",
				From: "/run/systemd/system, /run/openrc", Since: "0.1"},
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
	libc(p)
	switch {
	case p.Exists("/sys/fs/cgroup/cgroup.controllers"):
		p.Count("software.cgroups", 2, Evidence{Path: "/sys/fs/cgroup/cgroup.controllers"})
	case p.IsDir("/sys/fs/cgroup/cpu"), p.IsDir("/sys/fs/cgroup/memory"):
		p.Count("software.cgroups", 1, Evidence{Path: "/sys/fs/cgroup"})
	}
	for _, mark := range []sign{{"/run/systemd/system", "systemd"}, {"/run/openrc", "openrc"}} {
		if p.IsDir(mark.word) {
			p.Value("software.init", mark.kind, Evidence{Path: mark.word})
			return nil
		}
	}
	if p.Link("/sbin/init") == "busybox" {
		p.Value("software.init", "busybox", Evidence{Path: "/sbin/init"})
	}
	return nil
}

// libc tells the library by its program loader.
func libc(p *Pass) {
	for _, dir := range []string{"/lib", "/lib64"} {
		for _, name := range p.Names(dir) {
			kind := ""
			switch {
			case strings.HasPrefix(name, "ld-musl-"):
				kind = "musl"
			case strings.HasPrefix(name, "ld-linux"), strings.HasPrefix(name, "ld64.so"):
				kind = "glibc"
			}
			if kind != "" {
				p.Value("software.libc", kind, Evidence{Path: dir + "/" + name})
				return
			}
		}
	}
}
