package probe

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func cpuSubject() Subject {
	return Subject{
		Name:    "cpu",
		Probe:   probeCPU,
		Uevents: []string{"cpu"},
		Words: []Word{
			{Key: "hardware.cpu_cores", Unit: "count", Meaning: "physical cores with a thread online",
				From: "cpu*/topology/core_cpus_list", Since: "0.1", Nomad: "cpu.numcores"},
			{Key: "hardware.cpu_threads", Unit: "count", Meaning: "logical CPUs online", From: cpuDir + "/online",
				Since: "0.1", Node: "count(node_cpu_seconds_total{mode=\"idle\"})"},
			{Key: "hardware.cpu.threads_offline", Unit: "count", Meaning: "logical CPUs present but switched off",
				From: cpuDir + "/online", Since: "0.1"},
			{Key: "hardware.cpu.packages", Unit: "count", Meaning: "processor packages, or sockets",
				From: "cpu*/topology/physical_package_id", Since: "0.1"},
			{Key: "hardware.cpu.smt", Meaning: "several threads share a core", From: "cpu*/topology/core_cpus_list",
				Since: "0.1", NFD: "cpu-hardware_multithreading"},
			{Key: "hardware.cpu.hybrid", Meaning: "cores of different speed", From: "cpu*/cpu_capacity, cpu_core, cpu_atom",
				Since: "0.1"},
			{Key: "hardware.cpu.cores_performance", Unit: "count", Meaning: "fast cores of a hybrid processor",
				From: "cpu*/cpu_capacity, cpu_core", Since: "0.1", Nomad: "cpu.numcores.performance"},
			{Key: "hardware.cpu.cores_efficiency", Unit: "count", Meaning: "slowest cores of a hybrid processor",
				From: "cpu*/cpu_capacity, cpu_atom", Since: "0.1", Nomad: "cpu.numcores.efficiency"},
			{Key: "hardware.cpu.arch", Unit: "text", Meaning: "architecture of the kernel, by Go's names", From: "uname",
				Since: "0.1", Nomad: "cpu.arch", NFD: "kubernetes.io/arch", Node: "node_uname_info{machine}"},
			{Key: "hardware.cpu.vendor", Many: true, Unit: "text", Meaning: "who designed the cores", From: "/proc/cpuinfo",
				Since: "0.1", NFD: "cpu-model.vendor_id", Node: "node_cpu_info{vendor}"},
			{Key: "hardware.cpu.model", Many: true, Unit: "text", Meaning: "name of the cores, once for each kind", Since: "0.1",
				From: "/proc/cpuinfo", Nomad: "cpu.modelname", NFD: "cpu-model.id", Node: "node_cpu_info{model_name}"},
			{Key: "hardware.cpu.isa.NAME", Meaning: "an extension of the instruction set", From: "/proc/cpuinfo",
				Since: "0.1", NFD: "cpu-cpuid.NAME", Node: "node_cpu_flag_info"},
			{Key: "hardware.cpu.level", Unit: "number", Meaning: "x86-64 microarchitecture level, 1 to 4",
				From: "/proc/cpuinfo", Since: "0.1"},
			{Key: "hardware.cpu.virt.NAME", Meaning: "hardware virtualization: vmx, svm, sie, lvz, and kvm where usable",
				From: "/proc/cpuinfo, /dev/kvm", Since: "0.1", NFD: "cpu-cpuid.VMX, cpu-cpuid.SVM"},
			{Key: "hardware.cpu.max_mhz", Unit: "MHz", Meaning: "highest clock of any core", Since: "0.1",
				From: "cpu*/cpufreq/cpuinfo_max_freq", Nomad: "cpu.frequency", Node: "node_cpu_frequency_max_hertz"},
			{Key: "hardware.cpu.numa_nodes", Unit: "count", Meaning: "NUMA nodes with memory", Since: "0.1",
				From: "/sys/devices/system/node", Nomad: "numa.node.count", NFD: "memory-numa"},
			{Key: "hardware.cpu.cache.l1d_kb", Unit: "KiB", Meaning: "level 1 data cache of all cores",
				From: "cpu*/cache", Since: "0.1"},
			{Key: "hardware.cpu.cache.l1i_kb", Unit: "KiB", Meaning: "level 1 instruction cache of all cores",
				From: "cpu*/cache", Since: "0.1"},
			{Key: "hardware.cpu.cache.l2_kb", Unit: "KiB", Meaning: "level 2 cache of all cores", From: "cpu*/cache",
				Since: "0.1"},
			{Key: "hardware.cpu.cache.l3_kb", Unit: "KiB", Meaning: "level 3 cache of all packages", From: "cpu*/cache",
				Since: "0.1"},
		},
	}
}

func probeCPU(p *Pass) error {
	info, err := readCPUInfo(p)
	for _, key := range []string{"vendor", "model", "isa", "level", "virt"} {
		p.Doubt("hardware.cpu."+key, err)
	}
	arch, from := archOf(p, info)
	p.Value("hardware.cpu.arch", arch, from)
	nameCPUs(p, info, arch)
	if p.Exists("/dev/kvm") {
		p.Tag("hardware.cpu.virt.kvm", Evidence{Path: "/dev/kvm"})
	}
	nodes, seen, err := numaNodes(p)
	p.Doubt("hardware.cpu.numa_nodes", err)
	if nodes > 0 {
		p.Count("hardware.cpu.numa_nodes", nodes, seen)
	}
	t, err := findTopology(p, info)
	if err != nil {
		for _, key := range []string{"hardware.cpu_cores", "hardware.cpu_threads", "hardware.cpu.packages",
			"hardware.cpu.smt", "hardware.cpu.hybrid", "hardware.cpu.max_mhz"} {
			p.Doubt(key, err)
		}
		return nil
	}
	countCPUs(p, t, info, arch)
	return nil
}

func countCPUs(p *Pass, t topology, info cpuinfo, arch string) {
	p.Count("hardware.cpu_cores", int64(t.cores), t.source)
	p.Count("hardware.cpu_threads", int64(len(t.online)), t.source)
	if t.offline > 0 {
		p.Count("hardware.cpu.threads_offline", int64(t.offline), t.source)
	}
	if t.packages > 1 && strings.HasPrefix(arch, "arm") && !p.IsDir("/sys/class/dmi") && !p.IsDir("/sys/firmware/acpi") {
		t.packages, t.source = 1, t.source.As(Medium) // a kernel without ACPI numbers clusters, not packages
	}
	if t.packages > 0 {
		p.Count("hardware.cpu.packages", int64(t.packages), t.source)
	}
	if len(t.online) > t.cores {
		p.Tag("hardware.cpu.smt", t.source)
	}
	if c, ok := findClasses(p, t, info); ok {
		p.Tag("hardware.cpu.hybrid", c.source)
		p.Count("hardware.cpu.cores_performance", int64(c.performance), c.source)
		p.Count("hardware.cpu.cores_efficiency", int64(c.efficiency), c.source)
	}
	clockCPUs(p, t, info)
	caches := Evidence{Path: cpuDir + "/cpu0/cache"}
	for kind, kib := range findCaches(p, t, info) {
		switch {
		case kind.level == 1 && kind.kind == "Data":
			p.Count("hardware.cpu.cache.l1d_kb", kib, caches)
		case kind.level == 1 && kind.kind == "Instruction":
			p.Count("hardware.cpu.cache.l1i_kb", kib, caches)
		case kind.level == 2 && kind.kind == "Unified":
			p.Count("hardware.cpu.cache.l2_kb", kib, caches)
		case kind.level == 3 && kind.kind == "Unified":
			p.Count("hardware.cpu.cache.l3_kb", kib, caches)
		}
	}
}

// nameCPUs states vendor, model and features: a model for each kind of core, features only where all cores agree.
func nameCPUs(p *Pass, info cpuinfo, arch string) {
	shared := map[string]int{}
	seen, makers, flags := map[string]bool{}, map[string]bool{}, map[string]bool{}
	kinds := 0
	for _, c := range info.kinds() {
		if maker := c.maker(arch); maker != "" && !makers[maker] {
			makers[maker] = true
			p.Value("hardware.cpu.vendor", maker, info.With(c.vendor+c.implementer+c.uarch))
		}
		for _, design := range c.designs() {
			if !seen[design] {
				seen[design] = true
				p.Value("hardware.cpu.model", design, info.With(strings.TrimSpace(c.model+" "+c.part+" "+c.uarch)))
				p.Meta("cpu.model", c.model)
			}
		}
		if key := c.flags + "\n" + c.isa; !flags[key] {
			flags[key] = true
			kinds++
			for _, name := range unique(c.extensions(arch)) {
				shared[name]++
			}
		}
	}
	for name, n := range shared {
		if n == kinds {
			p.Tag("hardware.cpu.isa."+name, info.With(name))
		}
	}
	first := info.first()
	if level := first.level(); arch == "amd64" && level > 0 {
		p.Count("hardware.cpu.level", level, info.With("flags: "+first.flags))
	}
	if name := first.virtual(); name != "" {
		p.Tag("hardware.cpu.virt."+name, info.With(name))
	}
}

func unique(names []string) []string {
	seen := map[string]bool{}
	kept := names[:0]
	for _, name := range names {
		if !seen[name] {
			seen[name] = true
			kept = append(kept, name)
		}
	}
	return kept
}

func clockCPUs(p *Pass, t topology, info cpuinfo) {
	var highest int64
	var from Evidence
	for _, cpu := range t.leaders {
		khz, e, err := p.Number(fmt.Sprintf("%s/cpu%d/cpufreq/cpuinfo_max_freq", cpuDir, cpu))
		if err != nil {
			if cpu == t.leaders[0] {
				break // where the first core has no clock, none has
			}
			continue
		}
		if khz > highest {
			highest, from = khz, e
		}
	}
	if highest == 0 {
		var mhz float64
		if _, err := fmt.Sscanf(info.first().mhz, "%g", &mhz); err == nil {
			highest, from = int64(mhz*1000), info.With("MHz: "+info.first().mhz).As(Low)
		}
	}
	if highest >= 1_000 && highest < 20_000_000 {
		p.Count("hardware.cpu.max_mhz", highest/1000, from)
	}
}

// numaNodes counts the nodes that have memory. Nodes that claim the same CPUs are one: a CPU belongs to one node.
func numaNodes(p *Pass) (int64, Evidence, error) {
	const dir = "/sys/devices/system/node"
	names, err := p.List(dir)
	if err != nil {
		return 0, Evidence{}, err
	}
	withMemory, err := parseList(p.Text(dir + "/has_memory"))
	told := err == nil && len(withMemory) > 0
	distinct := map[string]bool{}
	for _, name := range names {
		digits, ok := strings.CutPrefix(name, "node")
		n, err := strconv.Atoi(digits)
		if !ok || err != nil || told && !slices.Contains(withMemory, n) {
			continue
		}
		cpus := firstText(p, dir+"/"+name+"/", "cpulist", "cpumap")
		if cpus == "" || strings.Trim(cpus, "0,") == "" {
			cpus = name // memory alone
		}
		distinct[cpus] = true
	}
	if len(distinct) == 0 { // a kernel without NUMA has one node and does not say so
		return 1, Evidence{Path: dir, Raw: "none", Confidence: Medium}, nil
	}
	return int64(len(distinct)), Evidence{Path: dir, Raw: strings.Join(names, " ")}, nil
}

// machines maps uname's names to Go's.
var machines = map[string]string{
	"x86_64": "amd64", "i386": "386", "i486": "386", "i586": "386", "i686": "386", "aarch64": "arm64",
	"aarch64_be": "arm64be", "armv5tel": "arm", "armv6l": "arm", "armv7l": "arm", "armv8l": "arm", "riscv64": "riscv64",
	"loongarch64": "loong64", "ppc64le": "ppc64le", "ppc64": "ppc64", "s390x": "s390x", "mips": "mips", "mips64": "mips64",
}

func archOf(p *Pass, info cpuinfo) (string, Evidence) {
	name, e := "", Evidence{Path: "uname"}
	var u unix.Utsname
	if p.Live() && unix.Uname(&u) == nil {
		name = unix.ByteSliceToString(u.Machine[:])
	} else if stated, err := p.Read("/proc/sys/kernel/arch"); err == nil {
		name, e = stated.Text(), stated
	}
	if arch, ok := machines[name]; ok {
		return arch, e.With(name)
	}
	if arch := info.arch(); arch != "" {
		return arch, info.Evidence.As(Medium)
	}
	if p.Live() {
		return runtime.GOARCH, Evidence{Path: "the agent's own build", Confidence: Medium}
	}
	return "", e
}
