package probe

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

func memorySubject() Subject {
	return Subject{
		Name:    "memory",
		Probe:   probeMemory,
		Uevents: []string{"memory", "edac", "nd"},
		Words: []Word{
			{Key: "hardware.memory_gb", Unit: "GiB", Meaning: "memory the kernel manages, to the nearest GiB",
				From: "/proc/meminfo", Since: "0.1"},
			{Key: "hardware.memory_mb", Unit: "MiB", Meaning: "memory the kernel manages", From: "/proc/meminfo", Since: "0.1"},
			{Key: "hardware.memory_bytes", Unit: "bytes", Meaning: "memory the kernel manages", From: "/proc/meminfo",
				Since: "0.1", Nomad: "memory.totalbytes", Node: "node_memory_MemTotal_bytes"},
			{Key: "hardware.memory.limit_mb", Unit: "MiB", Meaning: "what the agent's cgroup may use, where that is less",
				From: "/sys/fs/cgroup", Since: "0.1"},
			{Key: "hardware.memory.swap_mb", Unit: "MiB", Meaning: "swap space", From: "/proc/meminfo", Since: "0.1",
				NFD: "memory-swap", Node: "node_memory_SwapTotal_bytes"},
			{Key: "hardware.memory.hugepages_mb", Unit: "MiB", Meaning: "memory set aside for huge pages",
				From: "/sys/kernel/mm/hugepages", Since: "0.1", NFD: "memory-hugepages.enabled",
				Node: "node_memory_HugePages_Total"},
			{Key: "hardware.memory.ecc", Meaning: "errors are corrected by the memory controller",
				From: "/sys/devices/system/edac/mc", Since: "0.1", Node: "node_edac_correctable_errors_total"},
			{Key: "hardware.memory.nvdimm", Meaning: "persistent memory modules", From: "/sys/bus/nd/devices", Since: "0.1",
				NFD: "memory-nv.present"},
		},
	}
}

const meminfo = "/proc/meminfo"

func probeMemory(p *Pass) error {
	info, err := p.Read(meminfo)
	total, from, ok := meminfoLine(info, "MemTotal")
	if !ok {
		total, from, ok = memoryBlocks(p)
	}
	if !ok {
		if err == nil {
			err = fmt.Errorf("no MemTotal in %s", meminfo)
		}
		p.Doubt("hardware.memory_gb", fmt.Errorf("no memory found: %v", err))
		p.Doubt("hardware.memory_mb", fmt.Errorf("no memory found: %v", err))
		p.Doubt("hardware.memory_bytes", fmt.Errorf("no memory found: %v", err))
		return nil
	}
	if err := plausibleMemory(p, total); err != nil {
		return err
	}
	p.Count("hardware.memory_bytes", total, from)
	p.Count("hardware.memory_mb", total>>20, from)
	p.Count("hardware.memory_gb", nearestGiB(total), from)
	p.Gauge(meminfoGauge("available", "MemAvailable"))
	if swap, from, ok := meminfoLine(info, "SwapTotal"); ok && swap > 0 && swap < maxMemory {
		p.Count("hardware.memory.swap_mb", swap>>20, from)
		p.Gauge(meminfoGauge("swap_free", "SwapFree"))
	}
	limit, from, err := cgroupLimit(p)
	p.Doubt("hardware.memory.limit_mb", err)
	if limit > 0 && limit < total {
		p.Count("hardware.memory.limit_mb", limit>>20, from)
	}
	if huge, from := hugepages(p, info); huge > 0 && huge <= total {
		p.Count("hardware.memory.hugepages_mb", huge>>20, from)
	}
	for key, dir := range map[string][2]string{
		"hardware.memory.ecc":    {"/sys/devices/system/edac/mc", "mc"},
		"hardware.memory.nvdimm": {"/sys/bus/nd/devices", "nmem"},
	} {
		names, err := p.List(dir[0])
		p.Doubt(key, err)
		for _, name := range names {
			if n, ok := strings.CutPrefix(name, dir[1]); ok && segment("N", n) {
				p.Tag(key, Evidence{Path: path.Join(dir[0], name), Raw: name})
				break
			}
		}
	}
	return nil
}

// maxMemory is above any machine built so far. A kernel for 32 bits cannot address more than maxMemory32.
const (
	maxMemory   = 128 << 40
	maxMemory32 = 64 << 30
)

func plausibleMemory(p *Pass, total int64) error {
	if total < 1<<20 || total > maxMemory {
		return fmt.Errorf("implausible memory of %d bytes", total)
	}
	if total <= maxMemory32 {
		return nil
	}
	info, err := readCPUInfo(p)
	if err != nil {
		return nil
	}
	if arch, _ := archOf(p, info); arch == "386" || arch == "arm" || arch == "riscv32" || arch == "mips" || arch == "ppc" {
		return fmt.Errorf("implausible memory of %d bytes on %s", total, arch)
	}
	return nil
}

func nearestGiB(bytes int64) int64 { return (bytes + 1<<29) >> 30 }

// meminfoLine finds one line of /proc/meminfo, in bytes.
func meminfoLine(info Evidence, name string) (int64, Evidence, bool) {
	for line := range strings.Lines(info.Raw) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			n, ok := kibValue(rest)
			return n, info.With(strings.TrimSpace(line)), ok
		}
	}
	return 0, info, false
}

// kibValue reads "  123 kB" as bytes.
func kibValue(text string) (int64, bool) {
	digits, unit, _ := strings.Cut(strings.TrimSpace(text), " ")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || unit != "kB" || n > 1<<52 {
		return 0, false
	}
	return n << 10, true
}

func meminfoGauge(name, line string) Gauge {
	return Gauge{Kind: "memory", Name: name, Unit: "bytes", Path: meminfo, Parse: func(text string) (float64, bool) {
		_, rest, ok := strings.Cut(text, "\n"+line+":")
		if !ok {
			return 0, false
		}
		rest, _, _ = strings.Cut(rest, "\n")
		n, ok := kibValue(rest)
		return float64(n), ok
	}}
}

// memoryBlocks adds up the blocks of memory that are online, for trees without /proc/meminfo.
func memoryBlocks(p *Pass) (int64, Evidence, bool) {
	const dir = "/sys/devices/system/memory"
	e, err := p.Read(dir + "/block_size_bytes")
	if err != nil {
		return 0, e, false
	}
	size, err := strconv.ParseInt(e.Text(), 16, 64)
	if err != nil || size <= 0 || size > 1<<40 {
		return 0, e, false
	}
	var online int64
	for _, name := range p.Names(dir) {
		n, ok := strings.CutPrefix(name, "memory")
		if !ok || !segment("N", n) {
			continue
		}
		state := p.Text(dir + "/" + name + "/state")
		if state == "online" || state == "" && p.Text(dir+"/"+name+"/online") == "1" {
			online++
		}
	}
	e = Evidence{Path: dir, Raw: fmt.Sprintf("%d blocks of %d bytes online", online, size), Confidence: Medium}
	return online * size, e, online > 0
}

// cgroupLimit is the tightest memory limit of the agent's own cgroup and those above it, in either version; 0 for none.
func cgroupLimit(p *Pass) (int64, Evidence, error) {
	own, err := p.Read("/proc/self/cgroup")
	if err != nil {
		return 0, own, err
	}
	var tightest int64
	var from Evidence
	for line := range strings.Lines(own.Raw) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 || !strings.HasPrefix(fields[2], "/") {
			continue
		}
		root, file := "", ""
		switch {
		case fields[0] == "0" && fields[1] == "":
			root, file = "/sys/fs/cgroup", "memory.max"
		case fields[1] == "memory":
			root, file = "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		for at := path.Clean(fields[2]); ; at = path.Dir(at) {
			n, e, err := p.Number(path.Join(root, at, file)) // "max" is no number: no limit
			if err == nil && n > 0 && (tightest == 0 || n < tightest) {
				tightest, from = n, e
			}
			if at == "/" {
				break
			}
		}
	}
	return tightest, from, nil
}

// hugepages is the memory set aside for huge pages of every size.
func hugepages(p *Pass, info Evidence) (int64, Evidence) {
	const dir = "/sys/kernel/mm/hugepages"
	var all int64
	for _, name := range p.Names(dir) {
		size, ok := strings.CutPrefix(name, "hugepages-")
		kib, err := strconv.ParseInt(strings.TrimSuffix(size, "kB"), 10, 64)
		if !ok || err != nil || kib <= 0 || kib > 64<<20 {
			continue
		}
		if n, _, err := p.Number(path.Join(dir, name, "nr_hugepages")); err == nil && n > 0 && n < 1<<32 {
			all += n * kib << 10
		}
	}
	if all > 0 {
		return all, Evidence{Path: dir}
	}
	size, _, ok := meminfoLine(info, "Hugepagesize")
	_, rest, ok2 := strings.Cut(info.Raw, "HugePages_Total:")
	rest, _, _ = strings.Cut(rest, "\n")
	n, err := strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
	if !ok || !ok2 || err != nil || n < 0 || n > 1<<32 {
		return 0, info
	}
	return n * size, info.With("HugePages_Total:" + rest)
}
