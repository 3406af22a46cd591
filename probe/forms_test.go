package probe

import (
	"regexp"
	"strings"
	"testing"

	"github.com/edge-agent/edge-agent/mesh"
)

func formed(t *testing.T) Result {
	t.Helper()
	m := machine{
		"/proc/cpuinfo": "processor : 0\nvendor_id : GenuineIntel\nflags : fpu lm aes avx2 vmx\n",
		"/proc/meminfo": "MemTotal: 8388608 kB\n", "/etc/os-release": "ID=debian\nVERSION_ID=\"12\"\n",
		cpuDir + "/cpu0/topology/core_cpus_list": "0", cpuDir + "/cpu0/cpufreq/cpuinfo_max_freq": "2400000",
		"/sys/module/kvm_amd/parameters/sev": "1\n",
	}
	r, err := Run(t.Context(), Options{Tree: m.tree(), Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func wantLines(t *testing.T, text string, want ...string) {
	t.Helper()
	have := map[string]bool{}
	for line := range strings.Lines(text) {
		have[strings.TrimSuffix(line, "\n")] = true
	}
	for _, line := range want {
		if !have[line] {
			t.Errorf("no line %s in\n%s", line, text)
		}
	}
}

func TestLabelsForNFD(t *testing.T) {
	text := formed(t).NFD()
	wantLines(t, text, "cpu-cpuid.AVX2=true", "cpu-cpuid.AESNI=true", "system-os_release.ID=debian",
		"edge-agent/hardware.memory_gb=8", "edge-agent/hardware.security.sev=true", "cpu-security.sev.enabled=true",
		"kubernetes.io/arch=amd64")
	label := regexp.MustCompile(`^([a-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?=[A-Za-z0-9._-]{0,63}$`)
	for line := range strings.Lines(text) {
		if !label.MatchString(strings.TrimSuffix(line, "\n")) {
			t.Errorf("%q is no label of Kubernetes", line)
		}
	}
}

func TestMetricsForPrometheus(t *testing.T) {
	text := formed(t).Prometheus([]mesh.Sample{{Sensor: "cpu", Value: 41.5, Unit: "C", Kind: "temperature"}})
	wantLines(t, text, "edge_agent_hardware_memory_bytes 8589934592", "node_memory_MemTotal_bytes 8.589934592e+09",
		"edge_agent_hardware_cpu_max_mhz 2400", "node_cpu_frequency_max_hertz 2.4e+09",
		`edge_agent_tag{key="software.os",value="debian",state="measured"} 1`,
		`edge_agent_reading{kind="temperature",sensor="cpu",unit="C"} 41.5`)
	metric := regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*(\{([a-z_]+="[^"]*",?)*\})? [0-9.e+-]+$`)
	for line := range strings.Lines(text) {
		if line = strings.TrimSuffix(line, "\n"); !strings.HasPrefix(line, "# TYPE ") && !metric.MatchString(line) {
			t.Errorf("%q is no metric", line)
		}
	}
}

func TestIndicesBecomeLabels(t *testing.T) {
	name, labels := metricName(Word{Key: "hardware.gpu.N.slice.N.vram_mb"}, "hardware.gpu.1.slice.0.vram_mb")
	if name != "edge_agent_hardware_gpu_slice_vram_mb" || labels != `{gpu="1",slice="0"}` {
		t.Errorf("%s%s", name, labels)
	}
}
