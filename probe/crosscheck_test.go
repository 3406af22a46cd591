package probe

import (
	"log/slog"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/jaypipes/ghw"
	"github.com/shirou/gopsutil/v3/cpu"
	"github.com/shirou/gopsutil/v3/host"
	"github.com/shirou/gopsutil/v3/mem"
	"golang.org/x/sys/unix"
)

// agrees checks one fact that the probe and another source both give; empty means that a source does not give it.
func agrees(t *testing.T, fact, got, who, want string) {
	t.Helper()
	if got != "none" && want != "" && got != want {
		t.Errorf("%s is %s, %s says %s", fact, got, who, want)
	}
}

// knowsTopology reports whether this kernel shows which threads share a core; without that no two tools agree.
func knowsTopology(t *testing.T) bool {
	p := &Pass{ctx: t.Context(), tree: Here()}
	return firstText(p, cpuDir+"/cpu0/topology/", "core_cpus_list", "thread_siblings_list") != ""
}

// onRealProcessor skips a test that compares with the machine itself, where a program is emulated on another.
func onRealProcessor(t *testing.T) {
	t.Helper()
	if emulator := os.Getenv("CI_EMULATOR"); emulator != "" {
		t.Skipf("the machine under %s is not the one that the kernel shows", emulator)
	}
}

func TestThisCPUAgreesWithLscpu(t *testing.T) {
	onRealProcessor(t)
	var list struct {
		Fields []struct{ Field, Data string } `json:"lscpu"`
	}
	asked(t, &list, "lscpu", "-J")
	says := map[string]string{}
	for _, f := range list.Fields {
		says[strings.TrimSuffix(f.Field, ":")] = f.Data
	}
	number := func(field string) int64 {
		n, err := strconv.ParseInt(says[field], 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	got := toldHere(t, cpuSubject())
	agrees(t, "arch", one(got["hardware.cpu.arch"]), "lscpu", machines[says["Architecture"]])
	if online, err := parseList(says["On-line CPU(s) list"]); err == nil {
		agrees(t, "threads", one(got["hardware.cpu_threads"]), "lscpu", strconv.Itoa(len(online)))
	}
	if nodes := says["NUMA node(s)"]; nodes != "" {
		agrees(t, "numa nodes", one(got["hardware.cpu.numa_nodes"]), "lscpu", nodes)
	}
	if says["Architecture"] == "x86_64" && says["Model name"] != "-" {
		agrees(t, "model", one(got["hardware.cpu.model"]), "lscpu", Slug(marketing(says["Model name"])))
	}
	sockets, each := number("Socket(s)"), number("Core(s) per socket")
	if !knowsTopology(t) || sockets == 0 || len(got["hardware.cpu.hybrid"]) > 0 {
		return // lscpu gives no sockets for clusters, and one figure for cores of two kinds
	}
	agrees(t, "packages", one(got["hardware.cpu.packages"]), "lscpu", strconv.FormatInt(sockets, 10))
	agrees(t, "cores", one(got["hardware.cpu_cores"]), "lscpu", strconv.FormatInt(sockets*each, 10))
}

func TestThisMachineAgreesWithGhwAndGopsutil(t *testing.T) {
	onRealProcessor(t)
	got := toldHere(t, cpuSubject(), osSubject())
	options := []any{ghw.WithDisableTools(), ghw.WithLogger(slog.New(slog.DiscardHandler))}
	if release, err := host.KernelVersionWithContext(t.Context()); err == nil {
		agrees(t, "kernel", one(got["software.kernel"]), "gopsutil", Slug(release))
	}
	if !knowsTopology(t) || len(got["hardware.cpu.threads_offline"]) > 0 {
		return // both count threads that are offline
	}
	if threads, err := cpu.CountsWithContext(t.Context(), true); err == nil {
		agrees(t, "threads", one(got["hardware.cpu_threads"]), "gopsutil", strconv.Itoa(threads))
	}
	// On other architectures ghw takes core ids, which repeat, for cores, and gopsutil finds none at all.
	if vendor := one(got["hardware.cpu.vendor"]); vendor == "intel" || vendor == "amd" {
		if cores, err := cpu.CountsWithContext(t.Context(), false); err == nil && cores > 0 {
			agrees(t, "cores", one(got["hardware.cpu_cores"]), "gopsutil", strconv.Itoa(cores))
		}
		if other, err := ghw.CPU(options...); err == nil && one(got["hardware.cpu.packages"]) == "1" {
			agrees(t, "cores", one(got["hardware.cpu_cores"]), "ghw", strconv.Itoa(int(other.TotalCores)))
			agrees(t, "threads", one(got["hardware.cpu_threads"]), "ghw", strconv.Itoa(int(other.TotalHardwareThreads)))
		}
	}
}

// totalMemory is what the kernel says of its memory by a system call; a guest whose host balloons may see it change.
func totalMemory() string {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return ""
	}
	return strconv.FormatUint(uint64(info.Totalram)*uint64(info.Unit), 10)
}

func TestThisMemoryAgreesWithOtherSources(t *testing.T) {
	before := totalMemory()
	got := one(toldHere(t, memorySubject())["hardware.memory_bytes"])
	ours, err := mem.VirtualMemoryWithContext(t.Context())
	other, err2 := ghw.Memory(ghw.WithDisableTools(), ghw.WithLogger(slog.New(slog.DiscardHandler)))
	if totalMemory() != before {
		t.Skip("the memory of this machine is changing")
	}
	agrees(t, "memory", got, "sysinfo", before)
	if err == nil {
		agrees(t, "memory", got, "gopsutil", strconv.FormatUint(ours.Total, 10))
	}
	if err2 == nil {
		agrees(t, "memory", got, "ghw", strconv.FormatInt(other.TotalUsableBytes, 10))
	}
}
