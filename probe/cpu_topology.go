package probe

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	cpuDir  = "/sys/devices/system/cpu"
	maxCPUs = 8192 // the largest NR_CPUS of any Linux kernel
)

// topology is how the online logical CPUs share cores and packages.
type topology struct {
	online   []int
	offline  int
	cores    int
	packages int   // 0 where nothing tells
	leaders  []int // the first thread of each core
	source   Evidence
	guessed  bool // cores counted as threads for want of anything better
}

// findTopology counts by the kernel's sibling masks. core_id cannot serve: it repeats in every package, and on many
// ARM machines in every cluster.
func findTopology(p *Pass, info cpuinfo) (topology, error) {
	t := topology{source: Evidence{Path: cpuDir}}
	present, err := presentCPUs(p)
	if err != nil {
		return t, err
	}
	if len(present) == 0 {
		return topologyOfInfo(info)
	}
	t.online = onlineCPUs(p, present)
	t.offline = len(present) - len(t.online)
	if len(t.online) == 0 {
		return t, errors.New("no CPU is online")
	}
	cores, packages := map[string]bool{}, map[string]bool{}
	for _, cpu := range t.online {
		dir := fmt.Sprintf("%s/cpu%d/topology/", cpuDir, cpu)
		core := firstText(p, dir, "core_cpus_list", "thread_siblings_list", "core_cpus", "thread_siblings")
		if core == "" {
			return t.withoutMasks(info)
		}
		if !cores[core] {
			cores[core] = true
			t.leaders = append(t.leaders, cpu)
		}
		packages[packageOf(p, dir)] = true
	}
	t.cores, t.packages = len(cores), len(packages)
	if packages[""] {
		t.packages = 0
	}
	t.source = t.source.With(fmt.Sprintf("%d of %d CPUs online, %d different core_cpus_list, %d packages",
		len(t.online), len(present), t.cores, t.packages))
	return t, nil
}

// packageOf names a package by its place: on s390 a socket's number repeats in every book and drawer.
func packageOf(p *Pass, dir string) string {
	id := firstText(p, dir, "physical_package_id")
	if book := p.Text(dir + "book_id"); book != "" {
		return p.Text(dir+"drawer_id") + "/" + book + "/" + firstText(p, dir, "core_siblings_list", "core_siblings")
	}
	if id == "" || strings.HasPrefix(id, "-") {
		return firstText(p, dir, "package_cpus_list", "core_siblings_list", "package_cpus", "core_siblings")
	}
	return id
}

func presentCPUs(p *Pass) ([]int, error) {
	names, err := p.List(cpuDir)
	if err != nil {
		return nil, fmt.Errorf("listing CPUs: %w", err)
	}
	var present []int
	for _, name := range names {
		if n, ok := strings.CutPrefix(name, "cpu"); ok {
			if cpu, err := strconv.Atoi(n); err == nil && cpu >= 0 && cpu < maxCPUs {
				present = append(present, cpu)
			}
		}
	}
	slices.Sort(present)
	return present, nil
}

func onlineCPUs(p *Pass, present []int) []int {
	if listed, err := parseList(p.Text(cpuDir + "/online")); err == nil && len(listed) > 0 {
		return slices.DeleteFunc(slices.Clone(present), func(cpu int) bool {
			_, on := slices.BinarySearch(listed, cpu)
			return !on
		})
	}
	return slices.DeleteFunc(slices.Clone(present), func(cpu int) bool {
		return p.Text(fmt.Sprintf("%s/cpu%d/online", cpuDir, cpu)) == "0"
	})
}

// topologyOfInfo is for trees and kernels without /sys/devices/system/cpu.
func topologyOfInfo(info cpuinfo) (topology, error) {
	t := topology{source: info.Evidence.As(Medium)}
	for _, c := range info.cpus {
		t.online = append(t.online, c.number)
	}
	for len(t.online) < info.count {
		t.online = append(t.online, len(t.online))
	}
	if len(t.online) == 0 {
		return t, errors.New("no CPU is listed")
	}
	return t.withoutMasks(info)
}

// withoutMasks counts by the ids in cpuinfo, and failing that takes every thread for a core.
func (t topology) withoutMasks(info cpuinfo) (topology, error) {
	type place struct{ physical, core string }
	cores, packages := map[place]bool{}, map[string]bool{}
	known := len(info.cpus) == len(t.online)
	for _, c := range info.cpus {
		known = known && c.core != ""
		cores[place{c.physical, c.core}] = true
		packages[c.physical] = true
	}
	t.leaders, t.source = t.online, info.Evidence
	if known {
		t.cores, t.packages = len(cores), len(packages)
		return t, nil
	}
	t.cores, t.packages, t.guessed, t.source = len(t.online), 0, true, t.source.As(Low)
	if len(t.online) == 1 {
		t.packages, t.guessed = 1, false
	}
	return t, nil
}

// firstText is the content of the first of the files that has any.
func firstText(p *Pass, dir string, names ...string) string {
	for _, name := range names {
		if text := p.Text(dir + name); text != "" {
			return text
		}
	}
	return ""
}

// parseList reads the kernel's lists: "0-3,8,10-11".
func parseList(text string) ([]int, error) {
	var all []int
	for part := range strings.SplitSeq(strings.TrimSpace(text), ",") {
		if part == "" {
			continue
		}
		from, to, ranged := strings.Cut(part, "-")
		first, err := strconv.Atoi(from)
		if err != nil {
			return nil, fmt.Errorf("reading list %q: %w", cut(text, 64), err)
		}
		last := first
		if ranged {
			if last, err = strconv.Atoi(to); err != nil {
				return nil, fmt.Errorf("reading list %q: %w", cut(text, 64), err)
			}
		}
		if first < 0 || last < first || last >= maxCPUs {
			return nil, fmt.Errorf("reading list %q: %d-%d is out of bounds", cut(text, 64), first, last)
		}
		for n := first; n <= last; n++ {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// classes sorts the cores of a machine with several kinds of them.
type classes struct {
	performance, efficiency int
	source                  Evidence
}

// findClasses tells fast cores from slow ones: by the kernel's own lists, by capacity, by what the parts are known for.
func findClasses(p *Pass, t topology, info cpuinfo) (classes, bool) {
	leader := map[int]bool{}
	for _, cpu := range t.leaders {
		leader[cpu] = true
	}
	if c, ok := intelClasses(p, leader); ok {
		return c, true
	}
	grade := map[int]int64{}
	path := ""
	for _, cpu := range t.leaders {
		path = fmt.Sprintf("%s/cpu%d/cpu_capacity", cpuDir, cpu)
		capacity, _, err := p.Number(path)
		if err != nil || capacity <= 0 {
			grade = nil
			break
		}
		grade[cpu] = capacity
	}
	if grade == nil {
		if grade = gradesOfParts(info, leader); grade == nil {
			return classes{}, false
		}
		path = info.Path
	}
	var lo, hi int64
	for _, g := range grade {
		lo, hi = min(cmp.Or(lo, g), g), max(hi, g)
	}
	if len(grade) == 0 || lo*5 >= hi*4 { // cores a fifth apart or less are one kind at different clocks
		return classes{}, false
	}
	c := classes{source: Evidence{Path: path, Raw: fmt.Sprintf("capacity from %d to %d", lo, hi), Confidence: Medium}}
	for _, g := range grade {
		if g*5 < lo*6 {
			c.efficiency++
		} else {
			c.performance++
		}
	}
	return c, true
}

func intelClasses(p *Pass, leader map[int]bool) (classes, bool) {
	count := func(list string) int {
		cpus, err := parseList(list)
		if err != nil {
			return 0
		}
		return len(slices.DeleteFunc(cpus, func(cpu int) bool { return !leader[cpu] }))
	}
	fast, err := p.Read("/sys/devices/cpu_core/cpus")
	slow, err2 := p.Read("/sys/devices/cpu_atom/cpus")
	if err != nil || err2 != nil {
		return classes{}, false
	}
	c := classes{count(fast.Text()), count(slow.Text()), fast}
	return c, c.performance > 0 && c.efficiency > 0
}

// gradesOfParts grades ARM cores where their parts differ and one is of a kind made to be small.
func gradesOfParts(info cpuinfo, leader map[int]bool) map[int]int64 {
	grades, small := map[int]int64{}, 0
	for _, c := range info.cpus {
		if !leader[c.number] || c.part == "" {
			continue
		}
		grades[c.number] = 2
		if smallCores[armModel(c.implementer, c.part)] {
			grades[c.number] = 1
			small++
		}
	}
	if small == 0 || small == len(grades) || len(grades) != len(leader) {
		return nil
	}
	return grades
}
