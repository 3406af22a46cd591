package probe

import (
	"strconv"
	"strings"
)

// implementers names who designed an ARM core, by bits 31 to 24 of MIDR.
var implementers = map[uint64]string{
	0x41: "arm", 0x42: "broadcom", 0x43: "cavium", 0x44: "dec", 0x46: "fujitsu", 0x48: "hisilicon", 0x49: "infineon",
	0x4d: "freescale", 0x4e: "nvidia", 0x50: "apm", 0x51: "qualcomm", 0x53: "samsung", 0x54: "ti", 0x56: "marvell",
	0x61: "apple", 0x66: "faraday", 0x69: "intel", 0x6d: "microsoft", 0x70: "phytium", 0xc0: "ampere",
}

// parts names ARM cores by implementer<<12 | part, as the designers' manuals give them.
var parts = map[uint64]string{
	0x41810: "arm810", 0x41920: "arm920", 0x41922: "arm922", 0x41926: "arm926", 0x41940: "arm940", 0x41946: "arm946",
	0x41966: "arm966", 0x41a20: "arm1020", 0x41a22: "arm1022", 0x41a26: "arm1026", 0x41b02: "arm11-mpcore",
	0x41b36: "arm1136", 0x41b56: "arm1156", 0x41b76: "arm1176", 0x41c05: "cortex-a5", 0x41c07: "cortex-a7",
	0x41c08: "cortex-a8", 0x41c09: "cortex-a9", 0x41c0d: "cortex-a17", 0x41c0e: "cortex-a17", 0x41c0f: "cortex-a15",
	0x41c14: "cortex-r4", 0x41c15: "cortex-r5", 0x41c17: "cortex-r7", 0x41c18: "cortex-r8", 0x41c20: "cortex-m0",
	0x41c21: "cortex-m1", 0x41c23: "cortex-m3", 0x41c24: "cortex-m4", 0x41c27: "cortex-m7", 0x41c60: "cortex-m0+",
	0x41d01: "cortex-a32", 0x41d02: "cortex-a34", 0x41d03: "cortex-a53", 0x41d04: "cortex-a35", 0x41d05: "cortex-a55",
	0x41d06: "cortex-a65", 0x41d07: "cortex-a57", 0x41d08: "cortex-a72", 0x41d09: "cortex-a73", 0x41d0a: "cortex-a75",
	0x41d0b: "cortex-a76", 0x41d0c: "neoverse-n1", 0x41d0d: "cortex-a77", 0x41d0e: "cortex-a76ae",
	0x41d13: "cortex-r52", 0x41d15: "cortex-r82", 0x41d16: "cortex-r52+", 0x41d20: "cortex-m23", 0x41d21: "cortex-m33",
	0x41d22: "cortex-m55", 0x41d23: "cortex-m85", 0x41d40: "neoverse-v1", 0x41d41: "cortex-a78",
	0x41d42: "cortex-a78ae", 0x41d43: "cortex-a65ae", 0x41d44: "cortex-x1", 0x41d46: "cortex-a510",
	0x41d47: "cortex-a710", 0x41d48: "cortex-x2", 0x41d49: "neoverse-n2", 0x41d4a: "neoverse-e1",
	0x41d4b: "cortex-a78c", 0x41d4c: "cortex-x1c", 0x41d4d: "cortex-a715", 0x41d4e: "cortex-x3",
	0x41d4f: "neoverse-v2", 0x41d80: "cortex-a520", 0x41d81: "cortex-a720", 0x41d82: "cortex-x4",
	0x41d83: "neoverse-v3ae", 0x41d84: "neoverse-v3", 0x41d85: "cortex-x925", 0x41d87: "cortex-a725",
	0x41d88: "cortex-a520ae", 0x41d89: "cortex-a720ae", 0x41d8a: "c1-nano", 0x41d8b: "c1-pro", 0x41d8c: "c1-ultra",
	0x41d8e: "neoverse-n3", 0x41d8f: "cortex-a320", 0x41d90: "c1-premium",
	0x4200f: "brahma-b15", 0x42100: "brahma-b53", 0x42516: "thunderx2",
	0x430a0: "thunderx", 0x430a1: "thunderx-88xx", 0x430a2: "thunderx-81xx", 0x430a3: "thunderx-83xx",
	0x430af: "thunderx2", 0x430b0: "octeontx2", 0x430b1: "octeontx2-98xx", 0x430b2: "octeontx2-96xx",
	0x430b8: "thunderx3",
	0x44a10: "sa110", 0x44a11: "sa1100",
	0x46001: "a64fx", 0x46003: "monaka",
	0x48d01: "taishan-v110", 0x48d02: "taishan-v120", 0x48d40: "cortex-a76",
	0x4e000: "denver", 0x4e003: "denver-2", 0x4e004: "carmel", 0x4e010: "olympus",
	0x50000: "x-gene",
	0x51001: "oryon", 0x51002: "oryon-2", 0x5100f: "scorpion", 0x5102d: "scorpion", 0x5104d: "krait", 0x5106f: "krait",
	0x51201: "kryo", 0x51205: "kryo", 0x51211: "kryo", 0x51800: "kryo-2xx-gold", 0x51801: "kryo-2xx-silver",
	0x51802: "kryo-3xx-gold", 0x51803: "kryo-3xx-silver", 0x51804: "kryo-4xx-gold", 0x51805: "kryo-4xx-silver",
	0x51c00: "falkor", 0x51c01: "saphira",
	0x53001: "exynos-m1", 0x53002: "exynos-m3", 0x53003: "exynos-m4", 0x53004: "exynos-m5",
	0x56131: "feroceon-88fr131", 0x56581: "pj4", 0x56584: "pj4b",
	0x61000: "swift", 0x61001: "cyclone", 0x61002: "typhoon", 0x61004: "twister", 0x61006: "hurricane",
	0x61020: "icestorm-a14", 0x61021: "firestorm-a14", 0x61022: "icestorm-m1", 0x61023: "firestorm-m1",
	0x61024: "icestorm-m1-pro", 0x61025: "firestorm-m1-pro", 0x61028: "icestorm-m1-max", 0x61029: "firestorm-m1-max",
	0x61030: "blizzard-a15", 0x61031: "avalanche-a15", 0x61032: "blizzard-m2", 0x61033: "avalanche-m2",
	0x61034: "blizzard-m2-pro", 0x61035: "avalanche-m2-pro", 0x61036: "sawtooth-a16", 0x61037: "everest-a16",
	0x61038: "blizzard-m2-max", 0x61039: "avalanche-m2-max",
	0x66526: "fa526", 0x66626: "fa626",
	0x6dd49: "azure-cobalt-100",
	0x70303: "ftc310", 0x70660: "ftc660", 0x70661: "ftc661", 0x70662: "ftc662", 0x70663: "ftc663", 0x70664: "ftc664",
	0x70862: "ftc862",
	0xc0ac3: "ampere-1", 0xc0ac4: "ampere-1a", 0xc0ac5: "ampere-1b",
}

// smallCores are those that are only ever the slow half of a machine with two kinds.
var smallCores = map[string]bool{
	"cortex-a5": true, "cortex-a7": true, "cortex-a32": true, "cortex-a34": true, "cortex-a35": true,
	"cortex-a53": true, "cortex-a55": true, "cortex-a65": true, "cortex-a65ae": true, "cortex-a510": true,
	"cortex-a520": true, "cortex-a520ae": true, "cortex-a320": true, "c1-nano": true,
	"kryo-2xx-silver": true, "kryo-3xx-silver": true, "kryo-4xx-silver": true, "ftc310": true,
	"icestorm-a14": true, "icestorm-m1": true, "icestorm-m1-pro": true, "icestorm-m1-max": true,
	"blizzard-a15": true, "blizzard-m2": true, "blizzard-m2-pro": true, "blizzard-m2-max": true, "sawtooth-a16": true,
}

// riscvVendors names who made a RISC-V core, by its JEDEC number in mvendorid.
var riscvVendors = map[uint64]string{
	0x489: "sifive", 0x5b7: "thead", 0x31e: "andes", 0x710: "spacemit", 0x602: "openhw", 0x61f: "ventana",
}

// x86Vendors names who made an x86 processor, by its vendor_id.
var x86Vendors = map[string]string{
	"GenuineIntel": "intel", "AuthenticAMD": "amd", "HygonGenuine": "hygon", "CentaurHauls": "centaur",
	"Shanghai": "zhaoxin", "GenuineTMx86": "transmeta", "CyrixInstead": "cyrix", "Geode by NSC": "nsc",
	"Vortex86 SoC": "dmp", "Genuine  RDC": "rdc",
}

func hex(text string) (uint64, bool) {
	n, err := strconv.ParseUint(text, 0, 64)
	return n, err == nil
}

func armModel(implementer, part string) string {
	who, ok := hex(implementer)
	what, ok2 := hex(part)
	if !ok || !ok2 || what > 0xfff {
		return ""
	}
	return parts[who<<12|what]
}

// maker names the vendor of a processor; empty where nothing tells.
func (c processor) maker(arch string) string {
	if who, ok := hex(c.implementer); ok && c.implementer != "" {
		return implementers[who]
	}
	if maker, _, ok := strings.Cut(c.uarch, ","); ok {
		return maker
	}
	if name, ok := x86Vendors[strings.TrimSpace(c.vendor)]; ok {
		if strings.HasPrefix(c.model, "ZHAOXIN") {
			return "zhaoxin" // under the name of Centaur, whose designs it took over
		}
		return name
	}
	if who, ok := hex(c.vendor); ok && c.vendor != "" {
		return riscvVendors[who]
	}
	switch {
	case strings.HasPrefix(c.vendor, "IBM"), strings.HasPrefix(c.model, "POWER"), strings.HasPrefix(c.model, "PPC970"),
		strings.HasPrefix(c.model, "Cell"):
		return "ibm"
	case strings.HasPrefix(c.model, "Loongson"):
		return "loongson"
	case arch == "sparc64" && strings.HasPrefix(c.model, "TI "):
		return "ti"
	case arch == "ia64":
		return "intel"
	}
	return ""
}

// designs names the model, or both where a kernel writes the parts of two clusters as one: 0xc07 & 0xc0f.
func (c processor) designs() []string {
	parts := strings.FieldsFunc(c.part, func(r rune) bool { return r == '/' || r == '&' || r == ' ' })
	if len(parts) == 0 {
		parts = []string{""}
	}
	var all []string
	for _, c.part = range parts {
		if name := c.design(); name != "" {
			all = append(all, name)
		}
	}
	return all
}

func (c processor) design() string {
	if name := armModel(c.implementer, c.part); name != "" {
		return name
	}
	if c.implementer != "" && c.part != "" { // told, but not in the table: the numbers are better than a guess
		return "part-" + strings.TrimPrefix(c.implementer, "0x") + "-" + strings.TrimPrefix(c.part, "0x")
	}
	if _, design, ok := strings.Cut(c.uarch, ","); ok {
		return design
	}
	return marketing(c.model)
}

// marketing strips a brand string of what is no name: trade marks, clock rates, the word CPU, and all of it where an
// ARM kernel gives the architecture instead.
func marketing(name string) string {
	if strings.HasPrefix(name, "ARMv") || strings.HasPrefix(name, "AArch64 Processor") {
		return ""
	}
	name, _, _ = strings.Cut(name, "@")
	if before, _, ok := strings.Cut(name, ","); ok {
		name = before
	}
	words := strings.Fields(strings.NewReplacer("(R)", " ", "(TM)", " ", "(tm)", " ", "(r)", " ", "®", "", "™", "").
		Replace(name))
	kept := words[:0]
	for _, w := range words {
		if w != "CPU" && w != "Processor" && !strings.HasSuffix(w, "-Core") && w != "(architected)" && w != "(raw)" {
			kept = append(kept, w)
		}
	}
	if n := len(kept); n > 1 && kept[n-1] == "0" { // Intel's first stepping of the server parts
		kept = kept[:n-1]
	}
	return strings.Join(kept, " ")
}
