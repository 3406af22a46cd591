package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// saying is a set of tools that answer with fixed text, by program.
func saying(answers map[string]string) Tools {
	return func(_ context.Context, name string, _ ...string) ([]byte, error) {
		answer, ok := answers[name]
		if !ok {
			return nil, errNoTool
		}
		if why, fails := strings.CutPrefix(answer, "!"); fails {
			return nil, errors.New(why)
		}
		return []byte(answer), nil
	}
}

func capacityOf(t *testing.T, tree Tree, tools Tools) (Report, string) {
	t.Helper()
	r, err := Run(t.Context(), Options{
		Timeout: patience, Tree: tree, Tools: tools, Subjects: patient(gpuCapacitySubject()),
	})
	if err != nil {
		t.Fatal(err)
	}
	return r.Reports[0], lines(r)
}

const twoGPUs = `{"v":1,"driver":"550.54.15","cuda":"12.4","count":2,"gpus":[
	{"name":"NVIDIA A100-SXM4-40GB","pci":"0000:01:00.0","architecture":"ampere","compute_capability":"8.0","cores":6912,
	 "memory":{"total":42949672960,"free":42000000000,"used":10},"ecc":true,"mig":true,"power_limit_mw":400000,"slices":[
	 {"index":0,"profile":"3g.20gb","multiprocessors":42,"memory":{"total":20937965568,"free":1,"used":0}},
	 {"index":1,"profile":"1g.5gb","multiprocessors":14,"memory":{"total":5100273664,"free":1,"used":0}}]},
	{"name":"Tesla T4","pci":"0000:02:00.0","architecture":"turing","compute_capability":"7.5","cores":2560,
	 "memory":{"total":15835660288,"free":1,"used":0},"ecc":false}]}`

func pair() machine {
	return pciFunction("0000:01:00.0", "10DE:20B0", "30200", "nvidia", nil).
		with(pciFunction("0000:02:00.0", "10DE:1EB8", "30200", "nvidia", nil))
}

func TestCapacityOfSeveralGPUsAndTheirSlices(t *testing.T) {
	report, got := capacityOf(t, pair().tree(), saying(map[string]string{"edge-agent-nvml": twoGPUs}))
	want := `hardware.gpu.0.architecture=ampere
hardware.gpu.0.compute_capability=8.0
hardware.gpu.0.compute_units=108
hardware.gpu.0.ecc
hardware.gpu.0.mig
hardware.gpu.0.model=nvidia-a100-sxm4-40gb
hardware.gpu.0.power_limit_mw=400000
hardware.gpu.0.slice.0.compute_units=42
hardware.gpu.0.slice.0.profile=3g.20gb
hardware.gpu.0.slice.0.vram_bytes=20937965568
hardware.gpu.0.slice.0.vram_mb=19968
hardware.gpu.0.slice.1.compute_units=14
hardware.gpu.0.slice.1.profile=1g.5gb
hardware.gpu.0.slice.1.vram_bytes=5100273664
hardware.gpu.0.slice.1.vram_mb=4864
hardware.gpu.0.slices=2
hardware.gpu.0.vram_bytes=42949672960
hardware.gpu.0.vram_gb=40
hardware.gpu.0.vram_mb=40960
hardware.gpu.1.architecture=turing
hardware.gpu.1.compute_capability=7.5
hardware.gpu.1.compute_units=40
hardware.gpu.1.model=tesla-t4
hardware.gpu.1.vram_bytes=15835660288
hardware.gpu.1.vram_gb=15
hardware.gpu.1.vram_mb=15102
hardware.gpu.architecture=ampere
hardware.gpu.compute_capability=8.0
hardware.gpu.compute_units=108
hardware.gpu.ecc
hardware.gpu.mig
hardware.gpu.model=nvidia-a100-sxm4-40gb
hardware.gpu.model=tesla-t4
hardware.gpu.power_limit_mw=400000
hardware.gpu.slice_vram_mb=19968
hardware.gpu.slices=2
hardware.gpu.vram_bytes=42949672960
hardware.gpu.vram_gb=40
hardware.gpu.vram_mb=40960
software.cuda_version=12.4
`
	if got != want || report.Status != Present {
		t.Errorf("%v, got\n%swant\n%s", report.Status, got, want)
	}
}

func TestAHelperInTroubleCostsOneDoubtAndNoFact(t *testing.T) {
	tests := map[string]struct{ helper, reason string }{
		"is not installed":       {"", "neither NVML nor nvidia-smi"},
		"crashed":                {"!signal: aborted", "aborted"},
		"printed nothing":        {"\n", "decoding"},
		"printed garbage":        {"\x00\xff{]", "decoding"},
		"was cut off":            {twoGPUs[:300], "decoding"},
		"went on talking":        {twoGPUs + twoGPUs, "more text"},
		"speaks another version": {strings.Replace(twoGPUs, `"v":1`, `"v":2`, 1), "protocol 2"},
		"lies about the count":   {strings.Replace(twoGPUs, `"count":2`, `"count":8`, 1), "counts 8"},
		"invents a field":        {strings.Replace(twoGPUs, `"v":1`, `"v":1,"x":1`, 1), "unknown field"},
		"has more free than is":  {strings.Replace(twoGPUs, `"free":42000000000`, `"free":52000000000`, 1), "memory of"},
		"names one GPU twice":    {strings.Replace(twoGPUs, `0000:02:00.0`, `0000:01:00.0`, 1), "twice"},
		"found no driver":        {`{"v":1,"count":0,"gpus":null,"error":"driver not loaded"}`, "driver not loaded"},
		"talks without end":      {`{"v":1,"driver":"` + strings.Repeat("x", maxNVMLBytes), "above"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tools := map[string]string{}
			if tt.helper != "" {
				tools["edge-agent-nvml"] = tt.helper
			}
			report, got := capacityOf(t, pair().tree(), saying(tools))
			if report.Status != Unsure || !strings.Contains(fmt.Sprint(report.Doubts), tt.reason) {
				t.Errorf("%v, %v; want could not tell, %q", report.Status, report.Doubts, tt.reason)
			}
			if strings.Contains(got, "vram") || strings.Contains(got, "cuda") {
				t.Errorf("facts from a helper in trouble:\n%s", got)
			}
			if !strings.Contains(got, "hardware.gpu.0.model=nvidia-a100-sxm4-40gb\n") {
				t.Errorf("the name that the PCI id tells is lost:\n%s", got)
			}
		})
	}
}

func TestAHangingHelperIsLeftToItsOwnDeadline(t *testing.T) {
	hang := func(ctx context.Context, _ string, _ ...string) ([]byte, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	s := gpuCapacitySubject()
	s.Timeout = 50 * time.Millisecond
	r, err := Run(t.Context(), Options{
		Timeout: patience, Tree: pair().tree(), Tools: hang, Subjects: []Subject{s, steady()},
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Reports[0].Status != Unsure || !strings.Contains(lines(r), "hardware.steady") {
		t.Errorf("report %v, facts %q", r.Reports[0], lines(r))
	}
}

func TestAHelperThatCountsMoreGPUsThanTheKernelIsDoubted(t *testing.T) {
	one := pciFunction("0000:01:00.0", "10DE:20B0", "30200", "nvidia", nil)
	report, got := capacityOf(t, one.tree(), saying(map[string]string{"edge-agent-nvml": twoGPUs}))
	if report.Status != Unsure || !strings.Contains(report.Reason, "the kernel does not show") {
		t.Errorf("%v: %s", report.Status, report.Reason)
	}
	if !strings.Contains(got, "hardware.gpu.vram_gb=40\n") {
		t.Errorf("the GPU that both know is lost:\n%s", got)
	}
}

func TestCapacityFromTheKernelAlone(t *testing.T) {
	tests := map[string]struct {
		machine machine
		want    string
	}{
		"an AMD card": {
			pciFunction("0000:03:00.0", "1002:738C", "38000", "amdgpu", machine{
				"mem_info_vram_total": "34342961152\n", "hwmon/hwmon3/power1_cap": "290000000\n"}).with(machine{
				kfdNodes + "/0/properties": "cpu_cores_count 64\nsimd_count 0\nvendor_id 0\n",
				kfdNodes + "/1/properties": "cpu_cores_count 0\nsimd_count 480\nsimd_per_cu 4\nvendor_id 4098\n" +
					"device_id 29580\nlocation_id 768\ndomain 0\ngfx_target_version 90008\n"}), `
			hardware.gpu.0.model=amd-instinct-mi100 hardware.gpu.0.gfx=gfx908 hardware.gpu.0.compute_units=120
			hardware.gpu.0.vram_bytes=34342961152 hardware.gpu.0.vram_mb=32752 hardware.gpu.0.vram_gb=32
			hardware.gpu.0.power_limit_mw=290000
			hardware.gpu.model=amd-instinct-mi100 hardware.gpu.gfx=gfx908 hardware.gpu.compute_units=120
			hardware.gpu.vram_bytes=34342961152 hardware.gpu.vram_mb=32752 hardware.gpu.vram_gb=32
			hardware.gpu.power_limit_mw=290000`},
		"an Intel card of two tiles beside an integrated one": {
			pciFunction("0000:00:02.0", "8086:4680", "30000", "i915", nil).
				with(pciFunction("0000:03:00.0", "8086:56C0", "38000", "xe", machine{
					"tile0/physical_vram_size_bytes": "0x180000000\n", "tile1/physical_vram_size_bytes": "0x180000000\n"})), `
			hardware.gpu.0.model=intel-uhd-graphics-770 hardware.gpu.1.model=intel-data-center-gpu-flex-170
			hardware.gpu.1.vram_bytes=12884901888 hardware.gpu.1.vram_mb=12288 hardware.gpu.1.vram_gb=12
			hardware.gpu.model=intel-uhd-graphics-770 hardware.gpu.model=intel-data-center-gpu-flex-170
			hardware.gpu.vram_bytes=12884901888 hardware.gpu.vram_mb=12288 hardware.gpu.vram_gb=12`},
		"a Jetson, whose GPU may use all of its memory": {
			socDevice("17000000.gpu", "gk20a", "/sys/class/devfreq/17000000.gpu").with(machine{
				"/proc/device-tree/compatible": "nvidia,p3737-0000+p3701-0005\x00nvidia,tegra234\x00",
				"/proc/meminfo":                "MemTotal:       64349184 kB\nMemFree: 1 kB\n"}), `
			hardware.gpu.0.model=nvidia-tegra-ga10b hardware.gpu.0.compute_capability=8.7
			hardware.gpu.0.vram_bytes=65893564416 hardware.gpu.0.vram_mb=62841 hardware.gpu.0.vram_gb=61
			hardware.gpu.model=nvidia-tegra-ga10b hardware.gpu.compute_capability=8.7
			hardware.gpu.vram_bytes=65893564416 hardware.gpu.vram_mb=62841 hardware.gpu.vram_gb=61`},
		"a Raspberry Pi": {socDevice("fec00000.v3d", "v3d", "/sys/class/drm/card0"), `
			hardware.gpu.0.model=broadcom-videocore-v3d hardware.gpu.model=broadcom-videocore-v3d`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { wantTags(t, gpuCapacitySubject(), tt.machine, tt.want) })
	}
}

func TestTheHelpersAnswersSuitTheMachineTheyComeFrom(t *testing.T) {
	thor := pciFunction("0000:01:00.0", "10DE:2B00", "30000", "nvidia", nil).with(machine{
		"/proc/device-tree/compatible": "nvidia,p3834-0008\x00nvidia,tegra264\x00", "/proc/meminfo": "MemTotal: 131072000 kB\n"})
	_, got := capacityOf(t, thor.tree(), saying(map[string]string{"edge-agent-nvml": `{"v":1,"cuda":"13.0","count":1,
		"gpus":[{"name":"NVIDIA Thor","pci":"0000:01:00.0","compute_capability":"11.0"}]}`}))
	for _, want := range []string{"hardware.gpu.vram_gb=125\n", "hardware.gpu.model=nvidia-thor\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("a Thor without memory of its own: no %sin\n%s", want, got)
		}
	}
	wsl := pciFunction("abcd:00:00.0", "1414:008E", "30200", "dxgkrnl", nil)
	_, got = capacityOf(t, wsl.tree(), saying(map[string]string{"edge-agent-nvml": `{"v":1,"count":1,"gpus":[
		{"name":"NVIDIA GeForce RTX 3080","pci":"0000:01:00.0","memory":{"total":10737418240,"free":1,"used":1}}]}`}))
	if !strings.Contains(got, "hardware.gpu.vram_gb=10\n") {
		t.Errorf("a GPU lent by Windows:\n%s", got)
	}
}

func TestACardOfAnotherDriverIsNotAskedOfNVIDIAs(t *testing.T) {
	asked := 0
	tools := func(context.Context, string, ...string) ([]byte, error) {
		asked++
		return nil, errNoTool
	}
	for driver, want := range map[string]int{"nouveau": 0, "vfio-pci": 0, "nvidia": 2} {
		asked = 0
		card := pciFunction("0000:01:00.0", "10DE:1EB8", "30200", driver, nil)
		if report, _ := capacityOf(t, card.tree(), tools); asked != want || report.Status != Unsure {
			t.Errorf("%s: %d programs run, want %d; %v", driver, asked, want, report.Status)
		}
	}
}

func TestMemoryThatCannotBeIsRefused(t *testing.T) {
	for _, total := range []string{"-1", "9223372036854775807"} {
		card := pciFunction("0000:03:00.0", "1002:738C", "38000", "amdgpu", machine{"mem_info_vram_total": total + "\n"})
		if report, got := capacityOf(t, card.tree(), nil); strings.Contains(got, "vram") || report.Status == Absent {
			t.Errorf("%s bytes: %v\n%s", total, report.Status, got)
		}
	}
}

func FuzzDecodeNVML(f *testing.F) {
	f.Add([]byte(twoGPUs))
	f.Add([]byte(`{"v":1,"count":0,"gpus":null,"error":"library not found"}`))
	f.Add([]byte(`[{}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		doc, err := DecodeNVML(bytes.NewReader(text))
		if err == nil && (doc.Count != len(doc.GPUs) || doc.Count > maxNVMLGPUs) {
			t.Errorf("accepted %d GPUs counted as %d", len(doc.GPUs), doc.Count)
		}
	})
}

func FuzzParseSMI(f *testing.F) {
	f.Add([]byte(`<nvidia_smi_log><attached_gpus>1</attached_gpus><gpu id="00000000:01:00.0"><product_name>Tesla T4` +
		`</product_name><fb_memory_usage><total>15360 MiB</total></fb_memory_usage></gpu></nvidia_smi_log>`))
	f.Fuzz(func(t *testing.T, text []byte) {
		doc, err := parseSMI(bytes.NewReader(text))
		if err == nil && doc.check() != nil {
			t.Error("accepted what the helper's checks refuse")
		}
	})
}

// captureXML rewrites the text form of `nvidia-smi -q` in a recording as the XML that -x prints.
func captureXML(text string) string {
	names := map[string]string{"gpu_uuid": "uuid", "shared_fb_memory_usage": "fb_memory_usage"}
	_, text, _ = strings.Cut(text, "==============NVSMI LOG==============")
	text, _, _ = strings.Cut(text, "####")
	var b strings.Builder
	type open struct {
		name   string
		indent int
	}
	var stack []open
	closeTo := func(indent int) {
		for len(stack) > 0 && stack[len(stack)-1].indent >= indent {
			b.WriteString("</" + stack[len(stack)-1].name + ">")
			stack = stack[:len(stack)-1]
		}
	}
	b.WriteString("<nvidia_smi_log>")
	for line := range strings.Lines(text) {
		body := strings.TrimSpace(line)
		if body == "" {
			continue
		}
		indent := len(line) - len(strings.TrimLeft(line, " "))
		closeTo(indent)
		key, value, isValue := strings.Cut(body, " : ")
		if id, ok := strings.CutPrefix(body, "GPU 0000"); ok && indent == 0 {
			b.WriteString(`<gpu id="0000` + id + `">`)
			stack = append(stack, open{"gpu", 0})
			continue
		}
		name := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(key)), " ", "_")
		if short := names[name]; short != "" {
			name = short
		}
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_0123456789") != "" {
			continue
		}
		inside := ""
		if len(stack) > 0 {
			inside = stack[len(stack)-1].name
		}
		switch {
		case inside == "mig_mode" && name == "current":
			name = "current_mig"
		case inside == "ecc_mode" && name == "current":
			name = "current_ecc"
		case inside == "temperature" && name == "gpu_current_temp":
			name = "gpu_temp"
		case inside == "utilization" && name == "gpu":
			name = "gpu_util"
		}
		if !isValue {
			if name == "mig_device" {
				b.WriteString("<mig_devices><mig_device>")
				stack = append(stack, open{"mig_devices", indent}, open{"mig_device", indent})
				continue
			}
			b.WriteString("<" + name + ">")
			stack = append(stack, open{name, indent})
			continue
		}
		b.WriteString("<" + name + ">" + strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(strings.TrimSpace(value)) +
			"</" + name + ">")
	}
	closeTo(0)
	b.WriteString("</nvidia_smi_log>")
	return b.String()
}
