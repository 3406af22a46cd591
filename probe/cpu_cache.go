package probe

import (
	"fmt"
	"strconv"
	"strings"
)

// cacheKey is one kind of cache, such as level 1 Data.
type cacheKey struct {
	level int64
	kind  string
}

// findCaches sums the sizes, in KiB, of each kind of cache over the machine, an instance that CPUs share once.
func findCaches(p *Pass, t topology, info cpuinfo) map[cacheKey]int64 {
	sums := map[cacheKey]int64{}
	seen := map[string]bool{}
	private := false
	for _, cpu := range t.leaders {
		private = addCaches(p, cpu, sums, seen) || private
	}
	if private && len(t.online) > len(t.leaders) { // threads of one core have caches of their own
		for _, cpu := range t.online {
			addCaches(p, cpu, sums, seen)
		}
	}
	if len(sums) == 0 {
		for _, cpu := range t.leaders {
			addSparcCaches(p, cpu, sums)
		}
	}
	for _, shared := range info.sharedCaches() {
		if _, known := sums[shared.cacheKey]; !known {
			sums[shared.cacheKey] = shared.kib
		}
	}
	return sums
}

// addCaches adds the caches of one CPU that were not seen from another, and reports whether one is the CPU's alone.
func addCaches(p *Pass, cpu int, sums map[cacheKey]int64, seen map[string]bool) (private bool) {
	for index := range 8 {
		dir := fmt.Sprintf("%s/cpu%d/cache/index%d/", cpuDir, cpu, index)
		shared := firstText(p, dir, "shared_cpu_list", "shared_cpu_map")
		if shared == "" {
			return private
		}
		private = private || shared == strconv.Itoa(cpu) || strings.Trim(shared, "0,") == "1"
		key := strconv.Itoa(index) + " " + shared
		if seen[key] {
			continue
		}
		seen[key] = true
		level, _, err := p.Number(dir + "level")
		size, ok := parseKiB(p.Text(dir + "size"))
		if err == nil && ok && level >= 1 && level <= 5 {
			sums[cacheKey{level, p.Text(dir + "type")}] += size
		}
	}
	return private
}

// addSparcCaches reads the sizes in bytes that SPARC kernels keep beside each CPU.
func addSparcCaches(p *Pass, cpu int, sums map[cacheKey]int64) {
	for name, key := range map[string]cacheKey{"l1_dcache_size": {1, "Data"}, "l1_icache_size": {1, "Instruction"},
		"l2_cache_size": {2, "Unified"}} {
		if n, _, err := p.Number(fmt.Sprintf("%s/cpu%d/%s", cpuDir, cpu, name)); err == nil && n > 0 && n < 64<<30 {
			sums[key] += n >> 10
		}
	}
}

type sharedCache struct {
	cacheKey
	kib int64
}

// sharedCaches reads what s390 kernels say of the caches above a core: "cache4 : level=3 type=Unified … size=65536K".
func (info cpuinfo) sharedCaches() []sharedCache {
	var all []sharedCache
	for line := range strings.Lines(info.Raw) {
		if !strings.HasPrefix(line, "cache") || !strings.Contains(line, "scope=Shared") {
			continue
		}
		var c sharedCache
		for field := range strings.FieldsSeq(line) {
			k, v, _ := strings.Cut(field, "=")
			switch k {
			case "level":
				c.level, _ = strconv.ParseInt(v, 10, 64)
			case "type":
				c.kind = v
			case "size":
				c.kib, _ = parseKiB(v)
			}
		}
		if c.level > 0 && c.kib > 0 {
			all = append(all, c)
		}
	}
	return all
}

// parseKiB reads sizes such as 32K, 8192 KB and 24M, and refuses a cache of none or above 64 GiB.
func parseKiB(text string) (int64, bool) {
	digits := strings.TrimRight(text, "KMBki ")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n <= 0 || n > 64<<20 {
		return 0, false
	}
	if strings.Contains(text[len(digits):], "M") {
		n <<= 10
	}
	return n, n <= 64<<20
}
