package probe

import (
	"strings"
	"testing"
)

func TestMemory(t *testing.T) {
	const free = "MemTotal:       16316248 kB\nMemFree: 1 kB\nMemAvailable:   8000000 kB\nSwapTotal:  2097148 kB\n"
	base := machine{"/proc/meminfo": free}
	const total = "hardware.memory_gb=16 hardware.memory_mb=15933 hardware.memory_bytes=16707837952 hardware.memory.swap_mb=2047 "
	tests := map[string]struct {
		machine machine
		want    string
	}{
		"a host": {base, total},
		"a limit of a newer cgroup": {base.with(machine{
			"/proc/self/cgroup": "0::/system.slice/x\n", "/sys/fs/cgroup/system.slice/x/memory.max": "max\n",
			"/sys/fs/cgroup/system.slice/memory.max": "1073741824\n"}), total + "hardware.memory.limit_mb=1024"},
		"a limit of an older cgroup": {base.with(machine{
			"/proc/self/cgroup": "4:memory:/a\n3:cpu:/a\n", "/sys/fs/cgroup/memory/a/memory.limit_in_bytes": "536870912\n"}),
			total + "hardware.memory.limit_mb=512"},
		"the older cgroup's word for no limit": {base.with(machine{
			"/proc/self/cgroup": "4:memory:/\n", "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}), total},
		"huge pages, error correction, persistent modules": {base.with(machine{
			"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": "512\n", "/sys/devices/system/edac/mc/mc0/": "",
			"/sys/bus/nd/devices/nmem0": "-> ../x"}),
			total + "hardware.memory.hugepages_mb=1024 hardware.memory.ecc hardware.memory.nvdimm"},
		"blocks of memory where nothing else tells": {machine{
			"/sys/devices/system/memory/block_size_bytes": "10000000\n",
			"/sys/devices/system/memory/memory0/state":    "online\n",
			"/sys/devices/system/memory/memory1/state":    "offline\n",
			"/sys/devices/system/memory/memory10/state":   "online\n"},
			"hardware.memory_gb=1 hardware.memory_mb=512 hardware.memory_bytes=536870912"},
		"372 TB on a processor of 32 bits": {machine{
			"/proc/meminfo": "MemTotal: 389957877760 kB\n",
			"/proc/cpuinfo": "processor : 0\nvendor_id : GenuineIntel\nflags : fpu cx8\n"}, ""},
		"a quarter of a gigabyte, which is not 0": {machine{"/proc/meminfo": "MemTotal: 252000 kB\n"},
			"hardware.memory_mb=246 hardware.memory_bytes=258048000"},
		"no memory at all": {machine{"/proc/meminfo": "MemTotal: 0 kB\n"}, ""},
		"a total below 0":  {machine{"/proc/meminfo": "MemTotal: -5 kB\n"}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { wantTags(t, memorySubject(), tt.machine, tt.want) })
	}
}

func TestImplausibleMemoryCouldNotBeTold(t *testing.T) {
	m := machine{"/proc/meminfo": "MemTotal: 389957877760 kB\n", "/proc/sys/kernel/arch": "i686\n", "/proc/cpuinfo": "\n"}
	r, err := Run(t.Context(), Options{Timeout: patience, Tree: m.tree(), Subjects: []Subject{memorySubject()}})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Reports[0]; got.Status != Unsure || !strings.Contains(got.Reason, "implausible") {
		t.Errorf("%v, %q; want could not tell, for it is implausible", got.Status, got.Reason)
	}
}
