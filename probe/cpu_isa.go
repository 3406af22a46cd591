package probe

import "strings"

// isaNames maps the kernel's names of features worth placing by to the names tags use, where these differ.
var isaNames = map[string]string{
	// x86
	"sse4_1": "", "sse4_2": "", "ssse3": "", "avx": "", "avx2": "", "fma": "", "f16c": "", "bmi1": "", "bmi2": "",
	"avx512f": "", "avx512bw": "", "avx512vl": "", "avx512_vnni": "", "avx512_bf16": "", "avx512_fp16": "",
	"avx_vnni": "", "avx_vnni_int8": "", "avx_ifma": "", "avx10": "", "amx_tile": "", "amx_int8": "", "amx_bf16": "",
	"amx_fp16": "", "aes": "", "vaes": "", "pclmulqdq": "", "sha_ni": "sha", "gfni": "", "rdrand": "", "sse2": "",
	// ARM
	"neon": "", "asimd": "neon", "vfpv3": "", "vfpv4": "", "asimdhp": "fp16", "asimddp": "dotprod", "sve": "",
	"sve2": "", "sme": "", "sme2": "", "i8mm": "", "bf16": "", "pmull": "", "sha1": "", "sha2": "", "sha3": "",
	"sha512": "", "sm3": "", "sm4": "", "crc32": "", "atomics": "lse", "idiva": "", "bti": "", "paca": "pauth", "mte": "",
	// POWER, s390, LoongArch
	"altivec": "", "vx": "", "vxe": "", "nnpa": "", "lsx": "", "lasx": "",
}

// levels are the x86-64 microarchitecture levels above the first: what each adds, in the kernel's names.
var levels = [][]string{
	{"lm", "cmov", "cx8", "fpu", "fxsr", "mmx", "syscall", "sse2"},
	{"cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"},
	{"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"},
	{"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
}

// isa lists the extensions of a processor, in the order its kernel names them.
func (c processor) extensions(arch string) []string {
	if strings.HasPrefix(arch, "riscv") {
		return riscvExtensions(c.isa)
	}
	flags := c.flags
	if strings.Contains(c.model, "altivec supported") {
		flags = "altivec"
	}
	var all []string
	for flag := range strings.FieldsSeq(flags) {
		if name, ok := isaNames[flag]; ok {
			if name == "" {
				name = flag
			}
			all = append(all, name)
		}
	}
	return all
}

// riscvExtensions reads an ISA string: rv64, single letters, then named extensions behind underscores.
func riscvExtensions(isa string) []string {
	letters, rest, _ := strings.Cut(strings.ToLower(isa), "_")
	if len(letters) < 4 {
		return nil
	}
	var all []string
	for _, l := range letters[4:] {
		switch l {
		case 'm', 'a', 'f', 'd', 'c', 'b', 'h':
			all = append(all, "rv"+string(l))
		case 'v':
			all = append(all, "rvv")
		case 'g': // stands for imafd
			all = append(all, "rvm", "rva", "rvf", "rvd")
		}
	}
	for name := range strings.SplitSeq(rest, "_") {
		switch name {
		case "zba", "zbb", "zbs", "zbc", "zfh", "zvfh", "zvbb", "zkn", "zkt", "zicbom", "zicboz", "zicond":
			all = append(all, name)
		}
	}
	return all
}

// level is the x86-64 level from 1 to 4 whose features, and those of all below it, are there; 0 for none.
func (c processor) level() int64 {
	flags := map[string]bool{}
	for flag := range strings.FieldsSeq(c.flags) {
		flags[flag] = true
	}
	for i, needs := range levels {
		for _, flag := range needs {
			if !flags[flag] {
				return int64(i)
			}
		}
	}
	return int64(len(levels))
}

// virtual names the hardware virtualization a processor offers.
func (c processor) virtual() string {
	for flag := range strings.FieldsSeq(c.flags) {
		switch flag {
		case "vmx", "svm":
			return flag
		case "sie":
			return "sie"
		case "lvz":
			return "lvz"
		}
	}
	return ""
}
