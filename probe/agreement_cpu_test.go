package probe

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// checkLscpu holds the probe against what lscpu printed on, or for, the same machine.
func checkLscpu(a *agreement) {
	const family = "util-linux-lscpu"
	for _, archive := range recorded(a.t, family, "*.tar.*") {
		for _, m := range unpacked(a.t, archive) {
			printed, err := os.ReadFile(filepath.Join(filepath.Dir(archive), "expected", "lscpu-"+m.name))
			if err != nil {
				continue
			}
			a.lscpu(family, m, string(printed))
		}
	}
}

func (a *agreement) lscpu(family string, m rooted, printed string) {
	fields, cores, sockets, nodes := map[string]string{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	threads, tables := 0, 0
	var columns []string
	for line := range strings.Lines(printed) {
		line = strings.TrimSpace(line)
		if head, ok := strings.CutPrefix(line, "# CPU,"); ok {
			columns = strings.Split("CPU,"+head, ",")
			tables++
			continue
		}
		if strings.HasPrefix(line, "#") || line == "" {
			continue
		}
		if tables == 0 {
			k, v, _ := strings.Cut(line, ":")
			fields[k] = strings.TrimSpace(v)
		} else if cells := strings.Split(line, ","); tables == 1 && len(cells) > 3 {
			threads++
			at := map[string]string{}
			for i, c := range columns[:min(len(columns), len(cells))] {
				at[c] = cells[i]
			}
			place := at["Drawer"] + "/" + at["Book"] + "/" + at["Socket"]
			cores[place+"/"+at["Core"]], sockets[place], nodes[at["Node"]] = true, true, true
		}
	}
	got := a.told(m.tree, cpuSubject(), platformSubject())
	a.check(family, m.name, "threads", one(got["hardware.cpu_threads"]), strconv.Itoa(threads), nil)
	a.check(family, m.name, "cores", one(got["hardware.cpu_cores"]), strconv.Itoa(len(cores)), nil)
	a.check(family, m.name, "packages", one(got["hardware.cpu.packages"]), strconv.Itoa(len(sockets)), nil)
	if n, ok := fields["NUMA node(s)"]; ok {
		a.check(family, m.name, "numa nodes", one(got["hardware.cpu.numa_nodes"]), n, nil)
	}
	if name := fields["Model name"]; name != "" && name != "-" {
		a.check(family, m.name, "model", one(got["hardware.cpu.model"]), Slug(marketing(name)), nil)
	}
	if mhz, err := strconv.ParseFloat(fields["CPU max MHz"], 64); err == nil {
		a.check(family, m.name, "max MHz", one(got["hardware.cpu.max_mhz"]), strconv.Itoa(int(mhz)), nil)
	}
	name := strings.ReplaceAll(fields["Hypervisor"], "KVM/Linux", "KVM")
	if hypervisor, _, _ := strings.Cut(name, " "); hypervisor != "" {
		a.check(family, m.name, "hypervisor", one(got["software.platform.vm"]), plain(hypervisor), nil)
	}
	for field, key := range map[string]string{"L1d cache": "l1d", "L1i cache": "l1i", "L2 cache": "l2", "L3 cache": "l3",
		"L1d": "l1d", "L1i": "l1i", "L2": "l2", "L3": "l3"} {
		if size, ok := fields[field]; ok {
			a.check(family, m.name, "cache "+key, one(got["hardware.cpu.cache."+key+"_kb"]), kib(size), nil)
		}
	}
}

var sizeText = regexp.MustCompile(`^([0-9.]+) ?([KMG])i?B?`)

// kib reads sizes such as "192 KiB (6 instances)".
func kib(text string) string {
	m := sizeText.FindStringSubmatch(text)
	if m == nil {
		return text
	}
	n, _ := strconv.ParseFloat(m[1], 64)
	return strconv.Itoa(int(n * map[string]float64{"K": 1, "M": 1 << 10, "G": 1 << 20}[m[2]]))
}

var target = regexp.MustCompile(`(?m)^(source|target|options): *(.*)$`)

// checkHwloc holds the probe against the objects hwloc found in the same tree.
func checkHwloc(a *agreement) {
	const family = "hwloc-linux"
	for _, archive := range recorded(a.t, family, "*.tar.*") {
		machines := unpacked(a.t, archive)
		tests := recorded(a.t, family, "expected/*.test")
		for _, test := range tests {
			said := map[string]string{}
			for _, m := range target.FindAllStringSubmatch(string(content(a.t, test)), -1) {
				said[m[1]] = strings.TrimSpace(m[2])
			}
			if said["source"] != filepath.Base(archive) || strings.Contains(said["options"], "--merge") {
				continue
			}
			printed := string(content(a.t, filepath.Join(filepath.Dir(test), said["target"])))
			for _, m := range machines {
				if !m.confined() || strings.Contains(said["options"], "--disallowed") {
					a.hwloc(family, m, printed)
				}
			}
		}
	}
}

func (a *agreement) hwloc(family string, m rooted, printed string) {
	count := func(kind string) string {
		object := regexp.MustCompile(`(?m)^ *(<object type="` + kind + `"|` + kind + `(\([^)]*\))? L#\d+ \()`)
		return strconv.Itoa(len(object.FindAllString(printed, -1)))
	}
	got := a.told(m.tree, cpuSubject())
	why := func() string { return m.hwlocDiffers() }
	a.check(family, m.name, "threads", one(got["hardware.cpu_threads"]), count("PU"), why)
	if cores := count("Core"); cores != "0" {
		a.check(family, m.name, "cores", one(got["hardware.cpu_cores"]), cores, why)
	}
	if packages := count("Package"); packages != "0" {
		a.check(family, m.name, "packages", one(got["hardware.cpu.packages"]), packages, why)
	}
	a.check(family, m.name, "numa nodes", one(got["hardware.cpu.numa_nodes"]), count("NUMANode"), why)
}

var onlineTotal = regexp.MustCompile(`Total online memory: +([0-9.]+)G`)

// checkLsmem holds the probe against the sum that lsmem printed.
func checkLsmem(a *agreement) {
	const family = "util-linux-lsmem"
	for _, archive := range recorded(a.t, family, "*.tar.*") {
		for _, m := range unpacked(a.t, archive) {
			printed, err := os.ReadFile(filepath.Join(filepath.Dir(archive), "expected", "lsmem-"+m.name))
			total := onlineTotal.FindSubmatch(printed)
			if err != nil || total == nil {
				continue
			}
			bytes, _ := strconv.ParseFloat(one(a.told(m.tree, memorySubject())["hardware.memory_bytes"]), 64)
			a.check(family, m.name, "memory GiB", strconv.FormatFloat(bytes/(1<<30), 'f', 1, 64), string(total[1]), nil)
		}
	}
}

// confined reports whether hwloc ran in a cpuset, of which it then speaks instead of the machine.
func (m rooted) confined() bool {
	set, err := m.tree.Read("/proc/self/cpuset", 256)
	return err == nil && strings.TrimSpace(string(set)) != "/"
}

// hwlocDiffers gives the rule by which hwloc counts otherwise, where one applies to the machine.
func (m rooted) hwlocDiffers() string {
	ids := map[string]string{}
	for cpu := range 1024 {
		dir := cpuDir + "/cpu" + strconv.Itoa(cpu) + "/topology/"
		mask, _ := m.tree.Read(dir+"thread_siblings", 4096)
		id, _ := m.tree.Read(dir+"core_id", 64)
		if other, seen := ids[string(mask)]; seen && len(mask) > 0 && other != string(id) {
			return "the kernel pairs the two halves of an AMD compute unit as threads, as lscpu does; hwloc calls each a core"
		}
		ids[string(mask)] = string(id)
	}
	return ""
}
