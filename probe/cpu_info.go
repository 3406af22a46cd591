package probe

import (
	"strconv"
	"strings"
)

// processor is what /proc/cpuinfo says of one logical CPU, in the words of whichever architecture wrote it.
type processor struct {
	number      int
	vendor      string // vendor_id, mvendorid
	model       string // model name, cpu model, cpu
	implementer string // ARM
	part        string // ARM
	flags       string // flags, features
	isa         string // RISC-V, LoongArch, MIPS
	uarch       string // RISC-V
	physical    string // physical id, package
	core        string // core id, core
	mhz         string
}

// cpuinfo is the file as a whole: a processor for each block, and what stands outside of them.
type cpuinfo struct {
	Evidence
	cpus     []processor
	common   processor // said once for all of them
	hardware string    // ARM and Android: the board or the SoC
	machine  string    // machine, platform
	board    string    // Model, as Raspberry Pi kernels write it
	system   string    // system type
	count    int       // where the number of processors is stated, but no block follows
}

const cpuinfoLimit = 8 << 20

func readCPUInfo(p *Pass) (cpuinfo, error) {
	e, err := p.ReadMax("/proc/cpuinfo", cpuinfoLimit)
	if err != nil {
		return cpuinfo{Evidence: e}, err
	}
	info := parseCPUInfo(e.Raw)
	info.Evidence = e
	return info, nil
}

func parseCPUInfo(raw string) cpuinfo {
	var info cpuinfo
	at := &info.common
	for line := range strings.Lines(raw) {
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			if strings.TrimSpace(line) == "" {
				at = &info.common // until the next processor begins
			}
			continue
		}
		key, value = strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(value)
		if n, begins := beginsProcessor(key, value); begins {
			if len(info.cpus) < maxCPUs {
				info.cpus = append(info.cpus, processor{number: n})
			}
			at = &info.cpus[len(info.cpus)-1]
			continue
		}
		at.set(key, value)
		info.set(key, value)
	}
	if len(info.cpus) == 0 && (info.common.part != "" || info.common.model != "") && info.count == 0 {
		info.cpus = []processor{info.common} // a kernel for one processor does not number it
	}
	info.share()
	return info
}

// share gives each processor what is said once for all: outside of the blocks or, by older ARM kernels, in one of them.
func (info *cpuinfo) share() {
	speaker, speakers := processor{}, 0
	for _, c := range info.cpus {
		if c.part != "" {
			speaker = c
			speakers++
		}
	}
	for i := range info.cpus {
		info.cpus[i].inherit(info.common)
		if speakers == 1 {
			info.cpus[i].inherit(speaker)
		}
	}
}

// beginsProcessor knows "processor : 0" and, of s390, "processor 0: version = …".
func beginsProcessor(key, value string) (int, bool) {
	if key == "processor" {
		n, err := strconv.Atoi(value)
		return n, err == nil && n >= 0
	}
	if rest, ok := strings.CutPrefix(key, "processor "); ok {
		n, err := strconv.Atoi(rest)
		return n, err == nil && n >= 0 && strings.Contains(value, "=")
	}
	return 0, false
}

func (c *processor) set(key, value string) {
	switch key {
	case "vendor_id", "mvendorid", "vendor":
		c.vendor = value
	case "model name", "cpu model", "cpu", "processor":
		if c.model == "" || key == "model name" {
			c.model = value
		}
	case "cpu implementer":
		c.implementer = value
	case "cpu part":
		c.part = value
	case "flags", "features":
		c.flags = value
	case "isa", "cpu-isa":
		c.isa = value
	case "uarch":
		c.uarch = value
	case "physical id", "package":
		c.physical = value
	case "core id", "core":
		c.core = value
	case "cpu mhz", "clock":
		c.mhz = strings.TrimSuffix(value, "MHz")
	}
}

func (info *cpuinfo) set(key, value string) {
	switch key {
	case "hardware":
		info.hardware = value
	case "machine", "platform":
		info.machine = value
	case "model":
		info.board = value // x86 writes a number here
	case "system type":
		info.system = value
	case "# processors", "ncpus active":
		if n, err := strconv.Atoi(value); err == nil && n > 0 && n <= maxCPUs {
			info.count = n
		}
	}
}

func (c *processor) inherit(from processor) {
	for _, f := range []struct {
		to   *string
		from string
	}{{&c.vendor, from.vendor}, {&c.model, from.model}, {&c.implementer, from.implementer}, {&c.part, from.part},
		{&c.flags, from.flags}, {&c.isa, from.isa}, {&c.uarch, from.uarch}} {
		if *f.to == "" {
			*f.to = f.from
		}
	}
}

// first is the first processor, or what is said of all where none is listed.
func (info cpuinfo) first() processor {
	if len(info.cpus) > 0 {
		return info.cpus[0]
	}
	return info.common
}

// kinds lists the processors that differ in more than their number and place.
func (info cpuinfo) kinds() []processor {
	var kinds []processor
	seen := map[processor]bool{}
	last := processor{}
	for _, c := range append([]processor{info.first()}, info.cpus...) {
		c.number, c.physical, c.core, c.mhz = 0, "", "", ""
		if c != last && !seen[c] {
			seen[c] = true
			kinds = append(kinds, c)
		}
		last = c
	}
	return kinds
}

// arch tells the architecture by what only its kernel writes.
func (info cpuinfo) arch() string {
	c := info.first()
	flags := " " + c.flags + " "
	has := func(flag string) bool { return strings.Contains(flags, " "+flag+" ") }
	switch {
	case strings.Contains(c.model, "AArch64") || strings.Contains(c.model, "(v8l)") || has("asimd"):
		return "arm64"
	case c.implementer != "" || strings.HasPrefix(c.model, "ARM"):
		return "arm"
	case strings.HasPrefix(c.isa, "rv64"):
		return "riscv64"
	case strings.HasPrefix(c.isa, "rv32"):
		return "riscv32"
	case strings.Contains(c.isa, "loongarch64"):
		return "loong64"
	case strings.Contains(c.isa, "mips64"):
		return "mips64"
	case strings.Contains(c.isa, "mips"):
		return "mips"
	case strings.HasPrefix(c.vendor, "IBM/S390"):
		return "s390x"
	case has("lm"):
		return "amd64"
	case has("fpu") || has("cx8") || strings.HasPrefix(c.vendor, "Genuine"):
		return "386"
	case strings.Contains(info.Raw, "arch       : IA-64"):
		return "ia64"
	case strings.HasPrefix(c.model, "POWER") || strings.HasPrefix(c.model, "PPC970") ||
		strings.HasPrefix(c.model, "Cell"):
		return "ppc64"
	case strings.HasPrefix(info.machine, "PowerMac") || strings.Contains(info.Raw, "(pvr "):
		return "ppc"
	case strings.Contains(c.model, "UltraSparc") || strings.Contains(info.Raw, "sun4"):
		return "sparc64"
	}
	return ""
}
