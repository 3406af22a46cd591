package probe

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// toldOf runs the GPU subjects on a machine whose nvidia-smi answers with a recording.
func (a *agreement) toldOf(tree Tree, xml, capabilities string) map[string][]string {
	tools := func(_ context.Context, name string, args ...string) ([]byte, error) {
		switch {
		case name != "nvidia-smi":
			return nil, errNoTool
		case len(args) > 0 && args[0] == "-q":
			return []byte(xml), nil
		}
		return []byte(capabilities), nil
	}
	r, err := Run(a.t.Context(), Options{Tree: tree, Tools: tools, Timeout: patience,
		Subjects: patient(gpuSubject(), gpuCapacitySubject())})
	if err != nil {
		a.t.Fatal(err)
	}
	return valuesOf(r)
}

// nvidiaMachine is what the kernel shows of the GPUs in a report.
func nvidiaMachine(doc NVML, device string) machine {
	m := machine{"/proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  " + doc.Driver + "  x\n"}
	for _, g := range doc.GPUs {
		m = m.with(pciFunction(g.PCI, "10DE:"+device, "30200", "nvidia", nil))
	}
	return m
}

var (
	migLine  = regexp.MustCompile(`(?m)^  MIG (\S+) +Device +(\d+):`)
	migTable = regexp.MustCompile(`(?m)^\| +\d+ +\d+ +\d+ +(\d+) +\| +\d+MiB / +(\d+)MiB`)
	cudaLine = regexp.MustCompile(`(?m)^CUDA (?:UMD )?[Vv]ersion *: ([0-9.]+)$`)
)

// checkCaptures holds one question to nvidia-smi against the others that were recorded at the same time.
func checkCaptures(a *agreement) {
	const family = "gpu-nvidia-smi-captures"
	for _, name := range recorded(a.t, family, "*.txt.gz") {
		text, base := string(content(a.t, name)), strings.TrimSuffix(filepath.Base(name), ".txt.gz")
		xml := captureXML(text)
		doc, err := parseSMI(strings.NewReader(xml))
		if err != nil {
			a.t.Errorf("%s: %v", base, err)
			continue
		}
		truth := queryOf(text)
		got := a.toldOf(nvidiaMachine(doc, truth["pci.device_id"][2:6]).tree(), xml,
			truth["pci.bus_id"]+", "+truth["compute_cap"]+"\n")
		a.check(family, base, "name", one(got["hardware.gpu.0.model"]), Slug(truth["name"]), nil)
		a.check(family, base, "memory", one(got["hardware.gpu.0.vram_mb"])+" MiB", truth["memory.total [MiB]"], nil)
		a.check(family, base, "driver", one(got["software.driver.nvidia"]), truth["driver_version"], nil)
		a.check(family, base, "compute capability", one(got["hardware.gpu.0.compute_capability"]), truth["compute_cap"], nil)
		_, ecc := got["hardware.gpu.0.ecc"]
		a.check(family, base, "ecc", strconv.FormatBool(ecc), strconv.FormatBool(truth["ecc.mode.current"] == "Enabled"), nil)
		_, mig := got["hardware.gpu.0.mig"]
		a.check(family, base, "mig", strconv.FormatBool(mig), strconv.FormatBool(truth["mig.mode.current"] == "Enabled"), nil)
		if cuda := cudaLine.FindStringSubmatch(text); cuda != nil {
			a.check(family, base, "cuda", one(got["software.cuda_version"]), cuda[1], nil)
		}
		slices := migLine.FindAllStringSubmatch(text, -1)
		a.check(family, base, "slices", strconv.Itoa(atoi(one(got["hardware.gpu.0.slices"]))), strconv.Itoa(len(slices)), nil)
		idle, _, _ := strings.Cut(text, "# load ::")
		for _, row := range migTable.FindAllStringSubmatch(idle, -1) {
			a.check(family, base, "slice memory", one(got["hardware.gpu.0.slice."+row[1]+".vram_mb"]), row[2], nil)
		}
	}
}

func atoi(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}

// queryOf is the answer to --query-gpu in a recording, by field.
func queryOf(text string) map[string]string {
	_, text, _ = strings.Cut(text, "\ntimestamp, driver_version")
	lines := strings.SplitN("timestamp, driver_version"+text, "\n", 3)
	row := map[string]string{}
	var records [][]string
	for _, line := range lines[:2] {
		r := csv.NewReader(strings.NewReader(line))
		r.TrimLeadingSpace, r.LazyQuotes = true, true
		record, err := r.Read()
		if err != nil {
			return row
		}
		records = append(records, record)
	}
	for i, field := range records[0] {
		if i < len(records[1]) {
			row[field] = strings.TrimSpace(records[1][i])
		}
	}
	return row
}

// checkTelegraf holds reports of nvidia-smi and rocm-smi against the GPU in the file's name, and memory against what
// rocm-smi prints.
func checkTelegraf(a *agreement) {
	const family = "gpu-telegraf"
	for _, name := range recorded(a.t, family, "*.xml.gz") {
		base := strings.TrimSuffix(filepath.Base(name), ".xml.gz")
		xml := content(a.t, name)
		doc, err := parseSMI(bytes.NewReader(xml))
		if err != nil {
			a.t.Errorf("%s: %v", base, err)
			continue
		}
		got := a.toldOf(nvidiaMachine(doc, "FFFF").tree(), string(xml), "")
		a.check(family, base, "name", namedIn(one(got["hardware.gpu.model"]), base), "yes", nil)
		total := regexp.MustCompile(`<fb_memory_usage>\s*<total>(\d+) MiB`).FindAllSubmatch(xml, -1)
		a.check(family, base, "memory", one(got["hardware.gpu.0.vram_mb"]), string(total[len(total)-1][1]), nil)
		if driver := regexp.MustCompile(`<driver_version>([^<]*)<`).FindSubmatch(xml); driver != nil {
			a.check(family, base, "driver", one(got["software.driver.nvidia"]), string(driver[1]), nil)
		}
		migs := strings.Count(string(xml), "<mig_device>")
		a.check(family, base, "slices", strconv.Itoa(atoi(one(got["hardware.gpu.0.slices"]))), strconv.Itoa(migs), nil)
	}
	for _, name := range recorded(a.t, family, "*.json.gz") {
		var cards map[string]map[string]any
		if err := json.Unmarshal(content(a.t, name), &cards); err != nil {
			a.t.Fatal(err)
		}
		a.rocm(family, strings.TrimSuffix(filepath.Base(name), ".json.gz"), cards)
	}
}

func (a *agreement) rocm(family, base string, cards map[string]map[string]any) {
	m, n := machine{}, 0
	var card map[string]any
	for key, c := range cards {
		text := func(keys ...string) string {
			for _, k := range keys {
				if s, ok := c[k].(string); ok {
					return s
				}
			}
			return ""
		}
		id := strings.TrimPrefix(text("GPU ID", "Device ID"), "0x")
		if !strings.HasPrefix(key, "card") || id == "" {
			continue
		}
		n++
		card = c
		m = m.with(pciFunction(strings.ToLower(text("PCI Bus")), "1002:"+id, "38000", "amdgpu", machine{
			"mem_info_vram_total":       text("VRAM Total Memory (B)") + "\n",
			"hwmon/hwmon0/power1_cap":   strings.TrimSuffix(text("Max Graphics Package Power (W)"), ".0") + "000000\n",
			"gpu_busy_percent":          text("GPU use (%)") + "\n",
			"hwmon/hwmon0/temp1_input":  "31000\n",
			"mem_info_vis_vram_total":   "0\n",
			"drm/card" + fmt.Sprint(n):  "x",
			"mem_info_gtt_total":        text("GTT Total Memory (B)") + "\n",
			"current_link_width":        "16\n",
			"mem_info_vram_vendor":      "samsung\n",
			"hwmon/hwmon0/temp1_label":  "edge\n",
			"hwmon/hwmon0/power1_label": "PPT\n",
		}))
	}
	got := a.told(m.tree(), gpuSubject(), gpuCapacitySubject())
	a.check(family, base, "gpus", one(got["hardware.gpu.count"]), strconv.Itoa(n), nil)
	a.check(family, base, "memory", one(got["hardware.gpu.vram_bytes"]), card["VRAM Total Memory (B)"].(string), nil)
	watts := strings.TrimSuffix(card["Max Graphics Package Power (W)"].(string), ".0")
	a.check(family, base, "power limit", one(got["hardware.gpu.power_limit_mw"]), watts+"000", nil)
	series := card["Card series"].(string)
	model := one(got["hardware.gpu.model"])
	agree := "no"
	for _, word := range strings.Fields(series) {
		if word = strings.Trim(word, "[]"); strings.HasPrefix(word, "MI") && strings.Contains(model, Slug(word)) {
			agree = "yes"
		}
	}
	a.check(family, base, "name", agree, "yes", nil)
}

// namedIn reports whether every word of a file's name but its version is in the model.
func namedIn(model, base string) string {
	for word := range strings.SplitSeq(base, "-") {
		if !strings.HasPrefix(word, "v1") && !strings.Contains(model, word) {
			return "no"
		}
	}
	return "yes"
}

// checkROCm holds the topology of one machine against what is known of its cards: eight MI300X, cut into partitions of
// 38 compute units.
func checkROCm(a *agreement) {
	const family = "rocm-topology"
	for _, archive := range recorded(a.t, family, "*.tar.gz") {
		base := strings.TrimSuffix(filepath.Base(archive), ".tar.gz")
		tree := topologyOf(a, archive)
		got := a.told(tree.tree(), gpuSubject(), gpuCapacitySubject())
		want := map[string]string{"hardware.gpu.count": "1", "hardware.gpu.vram_bytes": "17163091968"}
		if strings.Contains(base, "mi300-cpx") {
			partitions := 0
			for _, properties := range tree {
				partitions += strings.Count(properties, "\nsimd_count 152\n")
			}
			want = map[string]string{"hardware.gpu.count": "8", "hardware.gpu.slices": strconv.Itoa(partitions),
				"hardware.gpu.gfx": "gfx942", "hardware.gpu.0.slice.7.compute_units": "38", "hardware.gpu.0.compute_units": "304"}
		}
		for key, value := range want {
			_, fact, _ := strings.Cut(key, "gpu.")
			a.check(family, base, strings.ReplaceAll(fact, "0.", "one "), one(got[key]), value, nil)
		}
	}
}

// topologyOf puts a recorded topology where the kernel has it.
func topologyOf(a *agreement, archive string) machine {
	data, err := uncompressed(archive)
	if err != nil {
		a.t.Fatal(err)
	}
	entries, order := entriesOf(a.t, archive, data)
	m := machine{}
	for _, name := range order {
		if _, inside, ok := strings.Cut(name, "/topology/"); ok {
			m["/sys/class/kfd/kfd/topology/"+inside] = entries[name]
		}
	}
	return m
}
