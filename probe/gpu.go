package probe

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// gpuSubject tells which GPUs a machine has and who drives them. What each can do is told by gpuCapacitySubject, which
// may have to wait for a driver.
func gpuSubject() Subject {
	return Subject{
		Name:    "gpu",
		Probe:   probeGPU,
		Uevents: []string{"drm", "pci", "devfreq"},
		Words: []Word{
			{Key: "hardware.gpu", Meaning: "has a GPU; displays of a BMC or a virtual machine are none", From: "/sys/bus/pci, " +
				"/sys/class/drm, /sys/class/devfreq, /sys/class/kfd, device tree", Since: "0.1",
				NFD: "pci-0300_VENDOR.present"},
			{Key: "hardware.gpu.count", Unit: "count", Meaning: "GPUs, a partitioned one counted once", From: "as hardware.gpu",
				Since: "0.1", NFD: "nvidia.com/gpu.count"},
			{Key: "hardware.gpu.vendor", Unit: "text", Meaning: "who made a GPU: nvidia, amd, intel, arm, qualcomm, broadcom …",
				From: "PCI vendor or driver", Since: "0.1"},
			{Key: "hardware.gpu.driver", Unit: "text", Meaning: "kernel driver of a GPU", From: "link DEVICE/driver",
				Since: "0.1"},
			{Key: "hardware.gpu.discrete", Meaning: "has a GPU with memory of its own", From: "PCI position and ids",
				Since: "0.1"},
			{Key: "hardware.gpu.integrated", Meaning: "has a GPU inside the processor", From: "PCI position and ids, SoC",
				Since: "0.1"},
			{Key: "hardware.gpu.unified_memory", Meaning: "has a GPU that works in the machine's own memory",
				From: "as hardware.gpu.integrated", Since: "0.1"},
			{Key: "hardware.gpu.N.vendor", Unit: "text", Meaning: "who made GPU N", From: "as hardware.gpu.vendor", Since: "0.1"},
			{Key: "hardware.gpu.N.driver", Unit: "text", Meaning: "kernel driver of GPU N", From: "link DEVICE/driver",
				Since: "0.1"},
			{Key: "hardware.gpu.N.address", Unit: "text", Meaning: "where GPU N sits: PCI address or platform device",
				From: "/sys/bus/pci, /sys/class/drm", Since: "0.1"},
			{Key: "hardware.gpu.N.discrete", Meaning: "GPU N has memory of its own", From: "PCI position and ids", Since: "0.1"},
			{Key: "hardware.gpu.N.integrated", Meaning: "GPU N is part of the processor", From: "PCI position and ids, SoC",
				Since: "0.1"},
			{Key: "hardware.gpu.N.unified_memory", Meaning: "GPU N works in the machine's own memory, which is shared",
				From: "as hardware.gpu.N.integrated", Since: "0.1"},
			{Key: "hardware.display.controllers", Unit: "count", Meaning: "display controllers of any kind, GPUs, BMCs and virtual " +
				"ones alike", From: "PCI class 03, /sys/class/drm", Since: "0.1"},
			{Key: "software.driver.NAME", Unit: "text", Meaning: "version of a GPU's kernel driver",
				From: "/proc/driver/nvidia/version, /sys/module/NAME/version", Since: "0.1",
				Nomad: "driver_version of device nvidia/gpu", NFD: "nvidia.com/cuda.driver-version.full"},
		},
	}
}

func probeGPU(p *Pass) error {
	gpus, controllers, err := listGPUs(p)
	p.Doubt("", err)
	if controllers.n > 0 {
		p.Count("hardware.display.controllers", int64(controllers.n), controllers.evidence)
	}
	if len(gpus) == 0 {
		return nil
	}
	addresses := make([]string, len(gpus))
	for i, g := range gpus {
		addresses[i] = g.address
	}
	where := gpus[0].evidence.Path
	if gpus[0].pci.vendor != 0 {
		where = pciRoot
	}
	p.Tag("hardware.gpu", gpus[0].evidence)
	p.Count("hardware.gpu.count", int64(len(gpus)), listing(where, addresses))
	for i, g := range gpus {
		one := "hardware.gpu." + strconv.Itoa(i)
		for _, at := range []string{"hardware.gpu", one} {
			p.Value(at+".vendor", g.vendor, g.evidence)
			p.Value(at+".driver", g.driver, g.evidence)
			if g.integrated {
				p.Tag(at+".integrated", g.evidence)
				p.Tag(at+".unified_memory", g.evidence)
			} else {
				p.Tag(at+".discrete", g.evidence)
			}
		}
		p.Value(one+".address", strings.ReplaceAll(g.address, ":", "-"), g.evidence)
		if e, version := driverVersion(p, g.driver); version != "" {
			p.Value("software.driver."+keyword(g.driver), version, e)
		}
	}
	return nil
}

// gpu is one GPU as the kernel shows it.
type gpu struct {
	address    string // PCI function or platform device
	dir        string // its directory in /sys
	vendor     string
	driver     string
	pci        pciDevice // zero for a part of a SoC
	tegra      string    // tegra234 …, where it is a Tegra's
	integrated bool      // part of the processor, in the machine's own memory
	evidence   Evidence
}

type tally struct {
	n        int
	evidence Evidence
}

// listGPUs finds every GPU in a fixed order: by PCI address, then the SoC's, then those only ROCm's driver lists.
func listGPUs(p *Pass) ([]gpu, tally, error) {
	devices, err := pciDevices(p)
	devices = withCards(p, devices)
	var controllers tally
	gpus := pciGPUs(devices, &controllers)
	soc := socGPUs(p, &controllers)
	for i := range gpus {
		// Thor shows its own GPU as a PCI function.
		if len(soc) > 0 && soc[0].tegra == "tegra264" && gpus[i].vendor == "nvidia" {
			gpus[i].tegra, gpus[i].integrated = soc[0].tegra, true
			soc = soc[1:]
		}
	}
	gpus = append(gpus, soc...)
	if len(gpus) == 0 {
		gpus = kfdGPUs(p)
	}
	return gpus, controllers, err
}

// withCards adds the cards on PCI that only /sys/class/drm shows, as in a container with part of /sys.
func withCards(p *Pass, devices []pciDevice) []pciDevice {
	for _, name := range p.Names("/sys/class/drm") {
		dir := "/sys/class/drm/" + name + "/device"
		if !numbered(name, "card") {
			continue
		}
		e, _ := p.Read(dir + "/uevent")
		address := property(e.Raw, "PCI_SLOT_NAME")
		if address == "" || slices.ContainsFunc(devices, func(d pciDevice) bool { return d.address == address }) {
			continue
		}
		if d, _ := readPCI(p, address, dir); d.vendor != 0 {
			devices = append(devices, d)
		}
	}
	return devices
}

// gpuVendors are the makers of PCI GPUs. A display controller of anyone else is a BMC's, a virtual machine's, or too
// old to compute.
var gpuVendors = map[uint16]string{
	0x10de: "nvidia", 0x1002: "amd", 0x8086: "intel", 0x1ed5: "moore-threads", 0x0731: "jingjia", 0x1d17: "zhaoxin",
	0x1414: "microsoft", 0x1010: "imagination", 0x17cb: "qualcomm",
}

// noGPU are display controllers of those vendors that no work can be given to: vendor << 16 | device.
var noGPU = map[uint32]bool{
	0x1002515e: true, 0x10025159: true, 0x10024752: true, 0x10024758: true, 0x10025954: true, // on server boards
	0x14145353: true, // Hyper-V's virtual display
}

func pciGPUs(devices []pciDevice, controllers *tally) []gpu {
	var gpus []gpu
	slots := map[string]bool{}
	for _, d := range devices {
		slot, _, _ := strings.Cut(d.address, ".")
		display := d.base() == 0x03
		// AMD and Moore Threads file their compute-only cards under processing accelerators.
		compute := d.base() == 0x12 && (d.vendor == 0x1ed5 || d.vendor == 0x1002)
		if !display && !compute || slots[slot] {
			continue // a second function of one GPU is its audio or its second head
		}
		slots[slot] = true
		if controllers.n++; controllers.n == 1 {
			controllers.evidence = d.evidence
		}
		vendor := gpuVendors[d.vendor]
		if vendor == "" || noGPU[uint32(d.vendor)<<16|uint32(d.device)] {
			continue
		}
		gpus = append(gpus, gpu{address: d.address, dir: d.dir, vendor: vendor, driver: d.driver, pci: d,
			integrated: integratedPCI(d), evidence: d.evidence})
	}
	return gpus
}

func integratedPCI(d pciDevice) bool {
	switch d.vendor {
	case 0x8086: // Intel's own is always 00:02.0; its cards sit behind a bridge
		return strings.HasSuffix(d.address, ":00:02.0")
	case 0x1002:
		return amdAPU(d.device)
	case 0x10de:
		return d.device>>4 == 0x2e1 // GB10: one memory for processor and GPU
	case 0x1d17, 0x17cb:
		return true
	}
	return false
}

// amdAPU knows the GPUs that AMD builds into processors, by the ranges its ids come in.
func amdAPU(device uint16) bool {
	switch device {
	case 0x1114, 0x13fe, 0x1435, 0x1506, 0x150e, 0x1586, 0x15bf, 0x15c8, 0x15d8, 0x15dd, 0x15e7, 0x1636, 0x1638, 0x163f,
		0x164c, 0x164d, 0x164e, 0x1681, 0x1900, 0x1901, 0x74a0, 0x98e4:
		return true
	}
	for _, family := range [...][2]uint16{{0x1304, 0x131d}, {0x9610, 0x9616}, {0x9640, 0x964f}, {0x9710, 0x9715},
		{0x9802, 0x980a}, {0x9830, 0x983f}, {0x9850, 0x985f}, {0x9870, 0x9877}, {0x9900, 0x99a4}} {
		if family[0] <= device && device <= family[1] {
			return true
		}
	}
	return false
}

// socDrivers are the drivers of GPUs that are part of a SoC. Many DRM drivers only scan out pictures: those are absent.
var socDrivers = map[string]string{
	"v3d": "broadcom", "vc4_v3d": "broadcom", "vc4-drm": "broadcom", "vc4": "broadcom",
	"panfrost": "arm", "panthor": "arm", "lima": "arm", "mali": "arm", "midgard": "arm", "bifrost": "arm",
	"msm": "qualcomm", "msm_mdss": "qualcomm", "msm_dpu": "qualcomm", "adreno": "qualcomm", "kgsl-3d0": "qualcomm",
	"kgsl-3d": "qualcomm", "etnaviv": "vivante", "etnaviv-gpu": "vivante", "galcore": "vivante",
	"powervr": "imagination", "pvrsrvkm": "imagination", "asahi": "apple",
	"gk20a": "nvidia", "nvgpu": "nvidia", "gp10b": "nvidia", "gv11b": "nvidia", "ga10b": "nvidia", "gm20b": "nvidia",
}

// npuDrivers are the drivers of neural processors, some of which show themselves as DRM cards.
var npuDrivers = map[string]string{
	"RKNPU": "rockchip", "rknpu": "rockchip", "rocket": "rockchip", "ethosu": "arm", "intel_vpu": "intel",
	"ivpu": "intel", "amdxdna": "amd", "qaic": "qualcomm", "habanalabs": "habana",
}

// socGPUs finds the GPU of a SoC. It has one; drivers show it as a DRM card, a devfreq device, or a node of their own.
func socGPUs(p *Pass, controllers *tally) []gpu {
	var found []gpu
	add := func(g gpu) {
		for i := range found {
			if found[i].vendor == g.vendor {
				if g.driver == "v3d" { // it renders; vc4 beside it only scans out
					found[i] = g
				}
				return
			}
		}
		found = append(found, g)
	}
	for _, name := range p.Names("/sys/class/drm") {
		if !numbered(name, "card") {
			continue
		}
		dir := p.Real("/sys/class/drm/" + name + "/device")
		if dir == "" || p.Link(dir+"/subsystem") == "pci" || p.Exists(dir+"/class") && p.Exists(dir+"/vendor") {
			continue // on PCI, seen there
		}
		g := socGPU(p, dir)
		if npuDrivers[g.driver] != "" {
			continue
		}
		if controllers.n++; controllers.n == 1 {
			controllers.evidence = Evidence{Path: "/sys/class/drm/" + name, Raw: dir}
		}
		add(g)
	}
	for _, name := range p.Names("/sys/class/devfreq") {
		if dir := p.Real("/sys/class/devfreq/" + name + "/device"); dir != "" {
			add(socGPU(p, dir))
		}
	}
	for _, node := range []string{"/sys/class/misc/mali0", "/sys/class/kgsl/kgsl-3d0"} {
		if dir := p.Real(node + "/device"); dir != "" {
			add(socGPU(p, dir))
		}
	}
	if soc, e := tegra(p); soc != "" {
		g := gpu{address: soc + "-gpu", vendor: "nvidia", tegra: soc, integrated: true, evidence: e}
		for i := range found {
			if found[i].vendor == "nvidia" {
				found[i].tegra, g.vendor = soc, ""
			}
		}
		add(g)
	}
	known := found[:0]
	for _, g := range found {
		if g.vendor != "" {
			known = append(known, g)
		}
	}
	return known
}

// socGPU describes the platform device at dir; without a vendor where its driver is none of a GPU's.
func socGPU(p *Pass, dir string) gpu {
	driver := p.Link(dir + "/driver")
	g := gpu{address: path.Base(dir), dir: dir, driver: driver, vendor: socDrivers[driver], integrated: true}
	g.evidence = Evidence{Path: dir + "/driver", Raw: driver}
	return g
}

// numbered reports whether name is the prefix and a number.
func numbered(name, prefix string) bool {
	n, ok := strings.CutPrefix(name, prefix)
	return ok && n != "" && strings.Trim(n, "0123456789") == ""
}

// keyword brings a name to the form of one segment of a key.
func keyword(name string) string { return strings.ReplaceAll(Slug(name), ".", "-") }

func driverVersion(p *Pass, driver string) (Evidence, string) {
	if driver == "" {
		return Evidence{}, ""
	}
	if driver == "nvidia" {
		if e, err := p.Read("/proc/driver/nvidia/version"); err == nil {
			line, _, _ := strings.Cut(e.Raw, "\n")
			for word := range strings.FieldsSeq(line) {
				if strings.Count(word, ".") > 0 && strings.Trim(word, "0123456789.") == "" {
					return e.With(line), word
				}
			}
		}
	}
	e, _ := p.Read("/sys/module/" + driver + "/version")
	return e, e.Text()
}
