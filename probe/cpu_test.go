package probe

import (
	"fmt"
	"slices"
	"testing"
)

func armCPU(n int, part string) string {
	return fmt.Sprintf("processor\t: %d\nFeatures\t: fp asimd aes asimddp\nCPU implementer\t: 0x41\n"+
		"CPU architecture: 8\nCPU part\t: %s\n\n", n, part)
}

// clusters is a machine of four small and two big ARM cores, whose core ids repeat in each cluster.
func clusters() machine {
	m := machine{"/proc/cpuinfo": "", cpuDir + "/online": "0-5\n"}
	for cpu := range 6 {
		part, cluster, core := "0xd03", 0, cpu
		if cpu > 3 {
			part, cluster, core = "0xd08", 1, cpu-4
		}
		m["/proc/cpuinfo"] += armCPU(cpu, part)
		dir := fmt.Sprintf("%s/cpu%d/topology/", cpuDir, cpu)
		m[dir+"core_id"] = fmt.Sprint(core)
		m[dir+"physical_package_id"] = fmt.Sprint(cluster)
		m[dir+"thread_siblings_list"] = fmt.Sprint(cpu)
	}
	return m
}

func TestCPU(t *testing.T) {
	const x86 = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Intel(R) Xeon(R) CPU E5-2695 v4 @ 2.10GHz\n" +
		"flags\t: lm fpu cx8 vmx\n\n"
	tests := map[string]struct {
		machine machine
		want    string
	}{
		"clusters of an ARM board are neither packages nor repeated cores": {clusters(), `
			hardware.cpu_cores=6 hardware.cpu_threads=6 hardware.cpu.packages=1 hardware.cpu.arch=arm64
			hardware.cpu.vendor=arm hardware.cpu.model=cortex-a53 hardware.cpu.model=cortex-a72 hardware.cpu.hybrid
			hardware.cpu.cores_performance=2 hardware.cpu.cores_efficiency=4 hardware.cpu.numa_nodes=1
			hardware.cpu.isa.neon hardware.cpu.isa.aes hardware.cpu.isa.dotprod`},
		"an offline thread is counted as offline only": {machine{
			"/proc/cpuinfo": x86, cpuDir + "/online": "0",
			cpuDir + "/cpu0/topology/core_cpus_list": "0", cpuDir + "/cpu0/topology/physical_package_id": "0",
			cpuDir + "/cpu0/cpufreq/cpuinfo_max_freq": "3300000", cpuDir + "/cpu1/online": "0",
		}, `hardware.cpu_cores=1 hardware.cpu_threads=1 hardware.cpu.threads_offline=1 hardware.cpu.packages=1
			hardware.cpu.arch=amd64 hardware.cpu.vendor=intel hardware.cpu.model=intel-xeon-e5-2695-v4
			hardware.cpu.virt.vmx hardware.cpu.max_mhz=3300 hardware.cpu.numa_nodes=1`},
		"threads of a core, and a cache they share": {machine{
			"/proc/cpuinfo": "processor : 0\ncpu : POWER9, altivec supported\n\nprocessor : 1\n",
			cpuDir + "/cpu0/topology/thread_siblings":    "00000003",
			cpuDir + "/cpu1/topology/thread_siblings":    "00000003",
			cpuDir + "/cpu0/cache/index0/level":          "1",
			cpuDir + "/cpu0/cache/index0/type":           "Data",
			cpuDir + "/cpu0/cache/index0/size":           "32K",
			cpuDir + "/cpu0/cache/index0/shared_cpu_map": "00000003",
		}, `hardware.cpu_cores=1 hardware.cpu_threads=2 hardware.cpu.smt hardware.cpu.arch=ppc64 hardware.cpu.vendor=ibm
			hardware.cpu.model=power9 hardware.cpu.isa.altivec hardware.cpu.numa_nodes=1 hardware.cpu.cache.l1d_kb=32`},
		"a RISC-V core by its device tree name": {machine{
			"/proc/cpuinfo": "processor\t: 0\nhart\t: 1\nisa\t: rv64imafdcv_zba_zbb\nuarch\t: sifive,u74-mc\n",
		}, `hardware.cpu_cores=1 hardware.cpu_threads=1 hardware.cpu.packages=1 hardware.cpu.arch=riscv64
			hardware.cpu.vendor=sifive hardware.cpu.model=u74-mc hardware.cpu.numa_nodes=1 hardware.cpu.isa.rvm
			hardware.cpu.isa.rva hardware.cpu.isa.rvf hardware.cpu.isa.rvd hardware.cpu.isa.rvc hardware.cpu.isa.rvv
			hardware.cpu.isa.zba hardware.cpu.isa.zbb`},
		"an older kernel that names the part behind the last processor": {machine{
			"/proc/cpuinfo": "Processor : AArch64 Processor rev 3 (aarch64)\nprocessor : 0\n\nprocessor : 1\n" +
				"Features : fp asimd\nCPU implementer : 0x41\nCPU part : 0xd03\n\nHardware : x\n",
		}, `hardware.cpu_cores=2 hardware.cpu_threads=2 hardware.cpu.arch=arm64 hardware.cpu.vendor=arm
			hardware.cpu.model=cortex-a53 hardware.cpu.isa.neon hardware.cpu.numa_nodes=1`},
		"an ARM part nobody has named keeps its numbers": {machine{
			"/proc/cpuinfo": "processor : 0\nFeatures : half thumb neon\nCPU implementer : 0x41\nCPU part : 0xfff\n",
		}, `hardware.cpu_cores=1 hardware.cpu_threads=1 hardware.cpu.packages=1 hardware.cpu.arch=arm
			hardware.cpu.vendor=arm hardware.cpu.model=part-41-fff hardware.cpu.isa.neon hardware.cpu.numa_nodes=1`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { wantTags(t, cpuSubject(), tt.machine, tt.want) })
	}
}

func TestCPUWithoutAnySourceCouldNotBeTold(t *testing.T) {
	r, err := Run(t.Context(), Options{Timeout: patience, Tree: machine{}.tree(), Subjects: []Subject{cpuSubject()}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Reports[0].Status != Unsure {
		t.Errorf("a machine without files has a CPU that is %v; want could not tell", r.Reports[0].Status)
	}
}

func TestListsOfCPUs(t *testing.T) {
	for text, want := range map[string][]int{"0-2,5": {0, 1, 2, 5}, "": nil, "3": {3}, "1,1": {1}} {
		if got, err := parseList(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"5-2", "a", "0-99999999", "-3", "1-2-3"} {
		if got, err := parseList(text); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}

func FuzzCPUInfo(f *testing.F) {
	f.Add(armCPU(0, "0xd03") + "Hardware : x")
	f.Add("processor 1: version = 00,  identification = 279F25,  machine = 2817\n")
	f.Fuzz(func(t *testing.T, raw string) {
		info := parseCPUInfo(raw)
		for _, c := range info.kinds() {
			arch := info.arch()
			c.maker(arch)
			c.designs()
			c.extensions(arch)
		}
	})
}

func TestBrandStringsBecomeNames(t *testing.T) {
	for brand, want := range map[string]string{
		"Intel(R) Xeon(R) CPU E5-2650 0 @ 2.00GHz":    "intel-xeon-e5-2650",
		"13th Gen Intel(R) Core(TM) i7-1370P":         "13th-gen-intel-core-i7-1370p",
		"Six-Core AMD Opteron(tm) Processor 8439 SE":  "amd-opteron-8439-se",
		"ZHAOXIN KaiSheng ZX-C+ FC-1081@2.0GHz":       "zhaoxin-kaisheng-zx-c+-fc-1081",
		"POWER7 (architected), altivec supported":     "power7",
		"ARMv7 Processor rev 4 (v7l)":                 "",
		"AArch64 Processor rev 3 (aarch64)":           "",
		"Feroceon 88FR131 rev 1 (v5l)":                "feroceon-88fr131-rev-1-v5l",
		"Intel(R) Celeron(R) CPU  N3350  @ 1.10GHz  ": "intel-celeron-n3350",
	} {
		if got := Slug(marketing(brand)); got != want {
			t.Errorf("%q is named %q; want %q", brand, got, want)
		}
	}
}
