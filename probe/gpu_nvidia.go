package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// nvidiaTime is for the helper and nvidia-smi together. Waking a card without persistence mode takes a driver two or
// three seconds.
const nvidiaTime = 9 * time.Second

// nvidiaCapacity fills in what NVIDIA's driver says about its GPUs, each found by its PCI address.
func nvidiaCapacity(p *Pass, gpus []gpu, all []capacity) {
	var mine []int
	for i, g := range gpus {
		if g.vendor == "nvidia" || g.vendor == "microsoft" {
			mine = append(mine, i)
			all[i] = capacity{evidence: g.evidence}
		}
	}
	if len(mine) == 0 {
		return
	}
	var doc NVML
	var e Evidence
	var err error
	if slices.ContainsFunc(mine, func(i int) bool { return answerable(p, gpus[i]) }) {
		doc, e, err = askNVIDIA(p)
	}
	if err == nil && doc.CUDA != "" {
		p.Value("software.cuda_version", doc.CUDA, e)
	}
	left := doc.GPUs
	var unmatched []int
	for _, i := range mine {
		at := -1
		for k := range left {
			if left[k].PCI != "" && left[k].PCI == gpus[i].address {
				at = k
			}
		}
		if at < 0 {
			unmatched = append(unmatched, i)
			continue
		}
		all[i].NVMLGPU, all[i].evidence = left[at], e
		left = append(left[:at:at], left[at+1:]...)
	}
	// A Tegra's GPU has no PCI address of its own, and neither has the one WSL lends: where one is left on each side
	// they are the same.
	if len(unmatched) == 1 && len(left) == 1 {
		if i := unmatched[0]; gpus[i].tegra != "" || gpus[i].vendor == "microsoft" {
			all[i].NVMLGPU, all[i].evidence = left[0], e
			unmatched, left = nil, nil
		}
	}
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("%s lists %d GPUs that the kernel does not show", e.Path, len(left))
		p.Doubt("software.cuda_version", err)
	}
	for _, i := range mine {
		all[i].units = multiprocessors(all[i].NVMLGPU)
	}
	for _, i := range unmatched {
		if g := gpus[i]; g.tegra == "" {
			all[i].doubt = unanswered(err, g)
		}
		all[i].Name = procModel(p, gpus[i])
	}
	p.Doubt("software.cuda_version", err)
	for _, i := range mine {
		shareMemory(p, gpus[i], &all[i])
		nvidiaGauges(p, gpus[i], all[i])
	}
}

// answerable reports whether NVIDIA's own driver may run the GPU: nobody else's knows the library.
func answerable(p *Pass, g gpu) bool {
	if g.driver == "" {
		return p.IsDir("/proc/driver/nvidia") || g.tegra != ""
	}
	return g.driver == "nvidia" || g.tegra != "" || g.vendor == "microsoft"
}

func unanswered(err error, g gpu) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("neither NVML nor nvidia-smi answers for %s", g.address)
}

// askNVIDIA takes the first of NVML and nvidia-smi that answers. A machine with neither is no doubt about CUDA.
func askNVIDIA(p *Pass) (NVML, Evidence, error) {
	out, e, err := p.toolHalf("edge-agent-nvml")
	if err == nil {
		var doc NVML
		if doc, err = DecodeNVML(bytes.NewReader(out)); err == nil && doc.Error != "" {
			err = errors.New("edge-agent-nvml: " + doc.Error)
		}
		if err == nil {
			return doc, e, nil
		}
	}
	out, e2, err2 := p.toolHalf("nvidia-smi", "-q", "-x")
	if err2 == nil {
		var doc NVML
		if doc, err2 = parseSMI(bytes.NewReader(out)); err2 == nil {
			askCapability(p, &doc)
			return doc, e2, nil
		}
	}
	if Missing(err) {
		return NVML{}, e2, ifPresent(err2)
	}
	return NVML{}, e, ifPresent(err)
}

// askCapability completes nvidia-smi's report, which leaves out the compute capability. Old drivers do not know the
// question, and then it stays open.
func askCapability(p *Pass, doc *NVML) {
	out, _, err := p.toolHalf("nvidia-smi", "--query-gpu=pci.bus_id,compute_cap", "--format=csv,noheader")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(out)) {
		id, version, _ := strings.Cut(strings.TrimSpace(line), ", ")
		if major, minor, ok := strings.Cut(version, "."); !ok || !numbered(major, "") || !numbered(minor, "") {
			continue
		}
		for i := range doc.GPUs {
			if doc.GPUs[i].PCI == pciAddress(id) && len(version) < 8 {
				doc.GPUs[i].Capability = version
			}
		}
	}
}

// toolHalf gives a program half of the time that is left, so that the next can be asked when it hangs.
func (p *Pass) toolHalf(name string, args ...string) ([]byte, Evidence, error) {
	d := nvidiaTime / 2
	if deadline, ok := p.ctx.Deadline(); ok {
		d = time.Until(deadline) / 2
	}
	ctx, cancel := context.WithTimeout(p.ctx, d)
	defer cancel()
	inner := *p
	inner.ctx = ctx
	e, err := inner.Tool(name, args...)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%s gave no answer within %s", name, d.Round(time.Millisecond))
	}
	return []byte(e.Raw), e, err
}

// coresPerUnit is the number of CUDA cores in one multiprocessor, by compute capability: of a generation, or exactly.
var coresPerUnit = map[string]uint32{"3": 192, "5": 128, "6": 128, "6.0": 64, "7": 64, "8": 128, "8.0": 64, "9": 128,
	"10": 128, "11": 128, "12": 128}

func multiprocessors(g NVMLGPU) uint32 {
	if g.Cores == nil || *g.Cores == 0 {
		return 0
	}
	per := coresPerUnit[g.Capability]
	if per == 0 {
		major, _, _ := strings.Cut(g.Capability, ".")
		per = coresPerUnit[major]
	}
	if per == 0 {
		return 0
	}
	return *g.Cores / per
}

// shareMemory completes a GPU that works in the machine's own memory: CUDA may have all of it.
func shareMemory(p *Pass, g gpu, c *capacity) {
	if g.tegra != "" && c.Capability == "" {
		c.Capability = tegraCapability[g.tegra]
	}
	if c.Memory != nil || !g.integrated {
		return
	}
	e, err := p.Read("/proc/meminfo")
	if err != nil {
		return
	}
	for line := range strings.Lines(e.Raw) {
		text, ok := strings.CutPrefix(line, "MemTotal:")
		if !ok {
			continue
		}
		kib, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "kB")), 10, 64)
		if err == nil && kib > 0 && kib < 1<<40 {
			c.Memory, c.evidence = &NVMLMemory{Total: kib << 10}, e.With(line).As(Medium)
		}
	}
}

// procModel is the name the kernel driver itself gives, for when its library cannot be asked.
func procModel(p *Pass, g gpu) string {
	e, _ := p.Read("/proc/driver/nvidia/gpus/" + g.address + "/information")
	for line := range strings.Lines(e.Raw) {
		if name, ok := strings.CutPrefix(line, "Model:"); ok && !strings.Contains(name, "Unknown") {
			return strings.TrimSpace(name)
		}
	}
	return ""
}

// nvidiaGauges offers what changes: from files on a Tegra, else as the driver said it this time.
func nvidiaGauges(p *Pass, g gpu, c capacity) {
	if g.tegra != "" {
		loads := []string{g.dir + "/load", "/sys/devices/platform/gpu.0/load", "/sys/devices/gpu.0/load"}
		for _, load := range loads {
			if g.dir != "" && p.Exists(load) {
				p.Gauge(Gauge{Kind: "gpu_utilisation", Name: g.address, Unit: "percent", Path: load, Parse: Scaled(0.1)})
				break
			}
		}
	}
	said := func(kind, unit string, value float64) {
		p.Gauge(Gauge{Kind: kind, Name: g.address, Unit: unit, Value: value})
	}
	if c.Memory != nil && c.Memory.Free+c.Memory.Used > 0 {
		said("gpu_memory_free", "bytes", float64(c.Memory.Free))
		said("gpu_memory_used", "bytes", float64(c.Memory.Used))
	}
	if c.TemperatureC != nil {
		said("gpu_temperature", "celsius", float64(*c.TemperatureC))
	}
	if c.UtilisationPct != nil {
		said("gpu_utilisation", "percent", float64(*c.UtilisationPct))
	}
	if c.PowerMW != nil {
		said("gpu_power", "mW", float64(*c.PowerMW))
	}
	if c.Processes != nil {
		said("gpu_processes", "count", float64(*c.Processes))
	}
	if c.ProcessBytes != nil {
		said("gpu_process_memory", "bytes", float64(*c.ProcessBytes))
	}
}
