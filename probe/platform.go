package probe

import (
	"slices"
	"strings"
)

func platformSubject() Subject {
	return Subject{
		Name:  "platform",
		Probe: probePlatform,
		Words: []Word{
			{Key: "software.platform.vm", Unit: "text", Meaning: "a virtual machine, and whose: kvm, qemu, vmware, xen …",
				From: "DMI, device tree, clock sources, /proc/cpuinfo", Since: "0.1", NFD: "cpu-cpuid.HYPERVISOR"},
			{Key: "software.platform.container", Unit: "text", Meaning: "a container, and whose: docker, podman, lxc …",
				From: "/run/.containerenv, /.dockerenv, /run/systemd/container, cgroups", Since: "0.1"},
			{Key: "software.platform.cloud", Unit: "text", Meaning: "the cloud the machine runs in: aws, gce, azure …",
				From: "DMI", Since: "0.1", Nomad: "platform.NAME"},
			{Key: "software.platform.wsl", Meaning: "Windows' subsystem for Linux", From: "/proc/sys/kernel/osrelease",
				Since: "0.1"},
			{Key: "software.platform.baremetal", Meaning: "neither a virtual machine nor a container, as far as can be told",
				From: "all of the above", Since: "0.1"},
		},
	}
}

func probePlatform(p *Pass) error {
	kernel, _ := p.Read("/proc/sys/kernel/osrelease")
	wsl := strings.Contains(strings.ToLower(kernel.Raw), "microsoft")
	if wsl {
		p.Tag("software.platform.wsl", kernel)
	}
	info, err := readCPUInfo(p)
	p.Doubt("software.platform.vm", err)
	p.Doubt("software.platform.baremetal", err)
	vm, from := findVM(p, info)
	p.Value("software.platform.vm", vm, from)
	cloud, from := findCloud(p)
	p.Value("software.platform.cloud", cloud, from)
	container, from, err := findContainer(p)
	p.Doubt("software.platform.container", err)
	p.Value("software.platform.container", container, from)
	if vm == "" && container == "" && !wsl && err == nil && info.Raw != "" {
		p.Tag("software.platform.baremetal", Evidence{Path: info.Path, Raw: "no sign of a hypervisor or a container",
			Confidence: Medium})
	}
	return nil
}

// sign is a word that gives away a hypervisor or a cloud.
type sign struct{ word, kind string }

var dmiSigns = []sign{
	{"KVM", "kvm"}, {"OpenStack", "kvm"}, {"oVirt", "kvm"}, {"RHEV", "kvm"}, {"KubeVirt", "kvm"},
	{"Amazon EC2", "amazon"}, {"Google Compute Engine", "kvm"}, {"DigitalOcean", "kvm"}, {"Alibaba Cloud", "kvm"},
	{"Hetzner", "kvm"}, {"QEMU", "qemu"}, {"VMware", "vmware"}, {"VMW", "vmware"}, {"VirtualBox", "virtualbox"},
	{"innotek GmbH", "virtualbox"}, {"Xen", "xen"}, {"Bochs", "bochs"}, {"Parallels", "parallels"}, {"BHYVE", "bhyve"},
	{"Virtual Machine", "hyperv"}, {"Apple Virtualization", "apple"}, {"Firecracker", "firecracker"},
	{"Cloud Hypervisor", "cloud-hypervisor"},
}

// findVM tells the hypervisor by what it lets its guests see, from the most telling down to the mere fact of one.
func findVM(p *Pass, info cpuinfo) (string, Evidence) {
	const dmi = "/sys/class/dmi/id/"
	for _, file := range []string{"product_name", "sys_vendor", "board_vendor", "bios_vendor"} {
		e, err := p.Read(dmi + file)
		if strings.Contains(e.Raw, ".metal") {
			break // a cloud's machine without a hypervisor
		}
		if err != nil {
			continue
		}
		for _, s := range dmiSigns {
			if strings.Contains(e.Raw, s.word) {
				return s.kind, e
			}
		}
	}
	if e, err := p.Read("/sys/hypervisor/type"); err == nil && e.Text() != "" {
		if host, err := p.Read("/proc/xen/capabilities"); err != nil || !strings.Contains(host.Raw, "control_d") {
			return e.Text(), e
		}
	}
	if e, err := p.Read("/proc/device-tree/hypervisor/compatible"); err == nil {
		_, kind, _ := strings.Cut(e.Text(), ",")
		return kind, e
	}
	d := readDeviceTree(p)
	if slices.Contains(d.compatible, "linux,dummy-virt") || slices.Contains(d.compatible, "qemu,pseries") ||
		strings.Contains(d.model.Raw, "emulated by qemu") {
		return "qemu", d.compatibleFile
	}
	if e, err := p.Read("/proc/sysinfo"); err == nil { // s390
		for _, s := range []sign{{"KVM/Linux", "kvm"}, {"z/VM", "zvm"}, {"LPAR Number", "prsm"}} {
			if strings.Contains(e.Raw, s.word) {
				return s.kind, e.With(s.word)
			}
		}
	}
	if strings.HasSuffix(info.first().vendor, "S390") && strings.Contains(info.Raw, "version = FF") {
		return "unknown", info.With("version = FF") // of the processor, where a hypervisor stands in
	}
	clocks, _ := p.Read("/sys/devices/system/clocksource/clocksource0/available_clocksource")
	for _, s := range []sign{{"kvm-clock", "kvm"}, {"hyperv", "hyperv"}, {"xen", "xen"}, {"vmware", "vmware"}} {
		if strings.Contains(clocks.Raw, s.word) {
			return s.kind, clocks.As(Medium)
		}
	}
	if slices.Contains(strings.Fields(info.first().flags), "hypervisor") {
		return "unknown", info.With("flags: hypervisor")
	}
	return "", Evidence{}
}

func findCloud(p *Pass) (string, Evidence) {
	const dmi = "/sys/class/dmi/id/"
	for _, file := range []string{"sys_vendor", "product_name", "bios_vendor", "chassis_asset_tag"} {
		e, err := p.Read(dmi + file)
		if err != nil {
			continue
		}
		for _, s := range []sign{{"Amazon EC2", "aws"}, {"Google Compute Engine", "gce"}, {"DigitalOcean", "digitalocean"},
			{"Alibaba Cloud", "alibaba"}, {"Hetzner", "hetzner"}, {"OpenStack", "openstack"},
			{"7783-7084-3265-9085-8269-3286-77", "azure"}, {"OracleCloud", "oracle"}} {
			if strings.Contains(e.Raw, s.word) {
				return s.kind, e
			}
		}
	}
	return "", Evidence{}
}

var cgroupSigns = []sign{{"kubepods", "kubernetes"}, {"/docker", "docker"}, {"libpod", "podman"}, {"/lxc", "lxc"},
	{"cri-containerd", "containerd"}, {"/machine.slice/machine-", "systemd-nspawn"}}

// findContainer tells the container by the mark its engine leaves inside.
func findContainer(p *Pass) (string, Evidence, error) {
	if e, err := p.Read("/run/systemd/container"); err == nil && e.Text() != "" {
		return e.Text(), e, nil
	}
	if e, err := p.Read("/run/host/container-manager"); err == nil && e.Text() != "" {
		return e.Text(), e, nil
	}
	if p.IsDir("/run/secrets/kubernetes.io") {
		return "kubernetes", Evidence{Path: "/run/secrets/kubernetes.io"}, nil
	}
	for _, mark := range []sign{{"/run/.containerenv", "podman"}, {"/.dockerenv", "docker"}} {
		if p.Exists(mark.word) {
			return mark.kind, Evidence{Path: mark.word}, nil
		}
	}
	own, err := p.Read("/proc/self/cgroup")
	if err != nil && !Missing(err) {
		return "", own, err
	}
	for _, s := range cgroupSigns {
		if strings.Contains(own.Raw, s.word) {
			return s.kind, own.As(Medium), nil
		}
	}
	first, err := p.Read("/proc/1/environ") // of others only root may read it: no sign either way
	if err == nil {
		for v := range strings.SplitSeq(first.Raw, "\x00") {
			if kind, ok := strings.CutPrefix(v, "container="); ok && kind != "" {
				return kind, first.With(v), nil
			}
		}
	}
	return "", Evidence{}, nil
}
