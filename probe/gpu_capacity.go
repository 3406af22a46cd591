package probe

import (
	"fmt"
	"strconv"
	"strings"
)

// gpuCapacitySubject tells what each GPU can do. It is slow because NVIDIA's driver may take seconds to wake a card,
// and because a helper that hangs must cost the agent no second of its start.
func gpuCapacitySubject() Subject {
	words := []Word{
		{Key: "software.cuda_version", Unit: "text", Meaning: "newest CUDA that the installed driver speaks",
			From: "NVML, nvidia-smi", Since: "0.1", NFD: "nvidia.com/cuda.runtime-version.full"},
	}
	for _, w := range []Word{
		{Key: ".model", Unit: "text", Meaning: "name of %s", From: "NVML, nvidia-smi, /proc/driver/nvidia, pci.ids",
			Nomad: "device nvidia/gpu", NFD: "nvidia.com/gpu.product"},
		{Key: ".vram_bytes", Unit: "bytes", Meaning: "memory of %s; all of the machine's where that is shared with a CUDA GPU",
			From: "NVML, nvidia-smi, mem_info_vram_total, lmem_total_bytes, physical_vram_size_bytes, /proc/meminfo"},
		{Key: ".vram_mb", Unit: "MiB", Meaning: "as vram_bytes", From: "as vram_bytes", Nomad: "memory of device nvidia/gpu",
			NFD: "nvidia.com/gpu.memory"},
		{Key: ".vram_gb", Unit: "GiB", Meaning: "as vram_bytes, to the nearest whole", From: "as vram_bytes"},
		{Key: ".compute_units", Unit: "count", Meaning: "multiprocessors (NVIDIA) or compute units (AMD) of %s",
			From: "NVML, KFD topology"},
		{Key: ".compute_capability", Unit: "number", Meaning: "CUDA compute capability of %s", From: "NVML, Tegra SoC",
			NFD: "nvidia.com/gpu.compute.major"},
		{Key: ".architecture", Unit: "text", Meaning: "NVIDIA's name for the generation of %s", From: "NVML, nvidia-smi",
			NFD: "nvidia.com/gpu.family"},
		{Key: ".gfx", Unit: "text", Meaning: "target that ROCm compiles for on %s", From: "KFD topology"},
		{Key: ".ecc", Meaning: "memory of %s corrects errors, and does so now", From: "NVML, nvidia-smi"},
		{Key: ".mig", Meaning: "%s is cut into MIG instances", From: "NVML, nvidia-smi", NFD: "nvidia.com/mig.capable"},
		{Key: ".slices", Unit: "count", Meaning: "parts of %s that work can be given to: MIG instances, AMD partitions",
			From: "NVML, nvidia-smi, KFD topology"},
		{Key: ".power_limit_mw", Unit: "mW", Meaning: "power that %s may draw", From: "NVML, nvidia-smi, hwmon power1_cap",
			Nomad: "power of device nvidia/gpu"},
	} {
		w.Since = "0.1"
		all, one := w, w
		all.Key, all.Meaning = "hardware.gpu"+w.Key, strings.ReplaceAll(w.Meaning, "%s", "the largest GPU")
		one.Key, one.Meaning = "hardware.gpu.N"+w.Key, strings.ReplaceAll(w.Meaning, "%s", "GPU N")
		one.Nomad, one.NFD = "", ""
		words = append(words, all, one)
	}
	words = append(words, Word{Key: "hardware.gpu.slice_vram_mb", Unit: "MiB", Meaning: "memory of the largest slice",
		From: "as slices", Since: "0.1"})
	for _, w := range []Word{
		{Key: "profile", Unit: "text", Meaning: "MIG profile of the slice, such as 1g.10gb"},
		{Key: "vram_mb", Unit: "MiB", Meaning: "memory of the slice"},
		{Key: "vram_bytes", Unit: "bytes", Meaning: "memory of the slice"},
		{Key: "compute_units", Unit: "count", Meaning: "multiprocessors or compute units of the slice"},
	} {
		w.Key, w.From, w.Since = "hardware.gpu.N.slice.N."+w.Key, "as slices", "0.1"
		words = append(words, w)
	}
	return Subject{Name: "gpu capacity", Words: words, Uevents: []string{"drm", "pci"}, Slow: true,
		Timeout: nvidiaTime, Probe: probeGPUCapacity}
}

// capacity is what one GPU can do; what could not be told is nil or zero.
type capacity struct {
	NVMLGPU
	gfx      string
	units    uint32
	evidence Evidence
	doubt    error // why memory and the rest could not be told
}

func probeGPUCapacity(p *Pass) error {
	gpus, _, err := listGPUs(p)
	if len(gpus) == 0 {
		return err
	}
	p.Doubt("", err)
	all := make([]capacity, len(gpus))
	nvidiaCapacity(p, gpus, all)
	kfd := kfdTopology(p)
	for i, g := range gpus {
		switch {
		case g.vendor == "amd":
			all[i] = amdCapacity(p, g, kfd)
		case g.vendor == "intel":
			all[i] = intelCapacity(p, g)
		case g.vendor != "nvidia" && g.vendor != "microsoft":
			all[i] = capacity{evidence: g.evidence}
		}
		if all[i].Name == "" {
			all[i].Name = gpuName(p, g)
		}
		if err := all[i].Memory.check(); err != nil {
			all[i].Memory, all[i].doubt = nil, err
		}
	}
	for i := range all {
		all[i].tell(p, "hardware.gpu."+strconv.Itoa(i))
		all[i].tellSlices(p, "hardware.gpu."+strconv.Itoa(i))
	}
	summarise(p, all)
	return nil
}

// tell states the facts about one GPU, or about the largest, below a key.
func (c *capacity) tell(p *Pass, at string) {
	p.Value(at+".model", c.Name, c.evidence)
	p.Value(at+".architecture", c.Architecture, c.evidence)
	p.Value(at+".compute_capability", c.Capability, c.evidence)
	p.Value(at+".gfx", c.gfx, c.evidence)
	if c.Memory != nil {
		p.Count(at+".vram_bytes", int64(c.Memory.Total), c.evidence)
		p.Count(at+".vram_mb", int64(c.Memory.Total>>20), c.evidence)
		p.Count(at+".vram_gb", int64((c.Memory.Total+1<<29)>>30), c.evidence)
	}
	if c.units > 0 {
		p.Count(at+".compute_units", int64(c.units), c.evidence)
	}
	if c.ECC != nil && *c.ECC {
		p.Tag(at+".ecc", c.evidence)
	}
	if c.MIG != nil && *c.MIG {
		p.Tag(at+".mig", c.evidence)
	}
	if c.PowerLimitMW != nil {
		p.Count(at+".power_limit_mw", int64(*c.PowerLimitMW), c.evidence)
	}
	if len(c.Slices) > 0 {
		p.Count(at+".slices", int64(len(c.Slices)), c.evidence)
	}
	if c.doubt != nil {
		for _, what := range []string{".vram_bytes", ".vram_mb", ".vram_gb", ".compute_units", ".compute_capability",
			".architecture", ".ecc", ".mig", ".slices", ".slice", ".power_limit_mw"} {
			p.Doubt(at+what, c.doubt)
		}
	}
}

func (c *capacity) tellSlices(p *Pass, at string) {
	for _, s := range c.Slices {
		key := fmt.Sprintf("%s.slice.%d", at, s.Index)
		p.Value(key+".profile", s.Profile, c.evidence)
		if s.Memory != nil {
			p.Count(key+".vram_bytes", int64(s.Memory.Total), c.evidence)
			p.Count(key+".vram_mb", int64(s.Memory.Total>>20), c.evidence)
		}
		if s.Multiprocessors != nil {
			p.Count(key+".compute_units", int64(*s.Multiprocessors), c.evidence)
		}
	}
}

// summarise states the facts about the largest GPU, so that one tag answers "is there a GPU with this much memory".
// Every model is named, and every slice of any GPU counts.
func summarise(p *Pass, all []capacity) {
	best := 0
	for i := range all {
		if all[i].larger(&all[best]) {
			best = i
		}
	}
	sum := all[best]
	sum.Slices = nil
	var slice uint64
	for i, c := range all {
		sum.Slices = append(sum.Slices, c.Slices...)
		if c.MIG != nil && *c.MIG {
			sum.MIG = c.MIG
		}
		for _, s := range c.Slices {
			if s.Memory != nil {
				slice = max(slice, s.Memory.Total)
			}
		}
		if c.doubt != nil && sum.doubt == nil {
			sum.doubt = c.doubt
			// A GPU that could not tell may be the larger one.
			sum.Memory, sum.units, sum.Capability, sum.Architecture = nil, 0, "", ""
			sum.ECC, sum.PowerLimitMW = nil, nil
		}
		if i != best {
			p.Value("hardware.gpu.model", c.Name, c.evidence)
		}
	}
	sum.tell(p, "hardware.gpu")
	if slice > 0 {
		p.Count("hardware.gpu.slice_vram_mb", int64(slice>>20), sum.evidence)
	}
}

func (c *capacity) larger(than *capacity) bool {
	a, b := uint64(0), uint64(0)
	if c.Memory != nil {
		a = c.Memory.Total
	}
	if than.Memory != nil {
		b = than.Memory.Total
	}
	return a > b || a == b && c.units > than.units
}

// gpuName is a GPU's name where no driver tells it.
func gpuName(p *Pass, g gpu) string {
	if g.tegra != "" {
		return "NVIDIA Tegra " + tegraChips[g.tegra]
	}
	if g.pci.vendor != 0 {
		return pciName(p, g.pci.vendor, g.pci.device)
	}
	return socNames[g.driver]
}

// socNames name the family where a driver serves one only.
var socNames = map[string]string{
	"v3d": "Broadcom VideoCore V3D", "vc4-drm": "Broadcom VideoCore IV", "vc4_v3d": "Broadcom VideoCore IV",
	"panfrost": "Arm Mali", "panthor": "Arm Mali", "lima": "Arm Mali", "mali": "Arm Mali",
	"msm": "Qualcomm Adreno", "msm_mdss": "Qualcomm Adreno", "msm_dpu": "Qualcomm Adreno", "adreno": "Qualcomm Adreno",
	"kgsl-3d0": "Qualcomm Adreno", "kgsl-3d": "Qualcomm Adreno", "etnaviv": "Vivante GC", "etnaviv-gpu": "Vivante GC",
	"galcore": "Vivante GC", "powervr": "Imagination PowerVR", "pvrsrvkm": "Imagination PowerVR", "asahi": "Apple AGX",
}

func amdCapacity(p *Pass, g gpu, kfd []kfdNode) capacity {
	c := capacity{evidence: g.evidence}
	total, e, err := p.Number(g.dir + "/mem_info_vram_total")
	c.doubt = ifPresent(err)
	if err == nil && total > 0 {
		c.Memory, c.evidence = &NVMLMemory{Total: uint64(total)}, e
		used := Gauge{Kind: "gpu_memory_used", Name: g.address, Unit: "bytes", Path: g.dir + "/mem_info_vram_used"}
		used.Parse = Scaled(1)
		free := used
		free.Kind = "gpu_memory_free"
		free.Parse = func(text string) (float64, bool) {
			n, ok := Scaled(-1)(text)
			return float64(total) + n, ok && float64(total)+n >= 0
		}
		p.Gauge(used)
		p.Gauge(free)
	}
	for i, n := range kfd {
		if n.address != g.address || n.vendor != 0x1002 {
			continue
		}
		if c.gfx = n.gfx; c.Memory == nil && n.memory > 0 {
			c.Memory, c.evidence = &NVMLMemory{Total: n.memory}, n.evidence
		}
		c.units += n.units
		s := NVMLSlice{Index: len(c.Slices), Multiprocessors: &kfd[i].units}
		if n.memory > 0 {
			s.Memory = &NVMLMemory{Total: n.memory}
		}
		c.Slices = append(c.Slices, s)
	}
	if len(c.Slices) == 1 {
		c.Slices = nil // the GPU as a whole
	}
	for _, name := range p.Names(g.dir + "/hwmon") {
		if uw, _, err := p.Number(g.dir + "/hwmon/" + name + "/power1_cap"); err == nil && uw > 0 {
			mw := uint32(min(uw/1000, 1<<31))
			c.PowerLimitMW = &mw
		}
	}
	if p.Exists(g.dir + "/gpu_busy_percent") {
		p.Gauge(Gauge{Kind: "gpu_utilisation", Name: g.address, Unit: "percent", Path: g.dir + "/gpu_busy_percent",
			Parse: Scaled(1)})
	}
	return c
}

// intelCapacity reads the memory of Intel's cards: tiles of the xe driver, lmem of i915. Integrated ones have none.
func intelCapacity(p *Pass, g gpu) capacity {
	c := capacity{evidence: g.evidence}
	var total int64
	for _, name := range p.Names(g.dir) {
		if !numbered(name, "tile") {
			continue
		}
		if n, e, err := p.Number(g.dir + "/" + name + "/physical_vram_size_bytes"); err == nil && n > 0 {
			total, c.evidence = total+n, e
		}
	}
	for _, card := range p.Names(g.dir + "/drm") {
		if n, e, err := p.Number(g.dir + "/drm/" + card + "/lmem_total_bytes"); err == nil && n > 0 && total == 0 {
			total, c.evidence = n, e
		}
	}
	if total > 0 {
		c.Memory = &NVMLMemory{Total: uint64(total)}
	} else if !g.integrated {
		c.doubt = fmt.Errorf("the driver %q shows no memory size", g.driver)
	}
	return c
}

// ifPresent drops the errors that mean absence.
func ifPresent(err error) error {
	if Missing(err) {
		return nil
	}
	return err
}
