package probe

import (
	"path"
	"strings"
)

func acceleratorSubject() Subject {
	words := []Word{
		{Key: "hardware.accelerator", Meaning: "has a processor for neural networks, an FPGA or a vision processor",
			From: "/sys/class/accel, /sys/class/apex, PCI and USB ids, /sys/class/devfreq, /sys/class/fpga_manager", Since: "0.1"},
		{Key: "hardware.accelerator.count", Unit: "count", Meaning: "accelerators of any kind", From: "as hardware.accelerator",
			Since: "0.1"},
		{Key: "hardware.accelerator.model", Unit: "text", Meaning: "name of an accelerator", From: "PCI and USB ids, driver",
			Since: "0.1"},
		{Key: "hardware.accelerator.coral.pcie", Meaning: "a Coral Edge TPU on PCIe", From: "PCI 1ac1:089a, /sys/class/apex",
			Since: "0.1"},
		{Key: "hardware.accelerator.coral.usb", Meaning: "a Coral Edge TPU on USB, before or after its first use",
			From: "USB 1a6e:089a, 18d1:9302", Since: "0.1"},
		{Key: "hardware.accelerator.npu.vendor", Unit: "text", Meaning: "maker of a neural processor: rockchip, intel, amd, " +
			"qualcomm …", From: "driver", Since: "0.1"},
	}
	for _, k := range acceleratorKinds {
		words = append(words, Word{Key: "hardware.accelerator." + k[0], Meaning: "has " + k[1], From: k[2], Since: "0.1"},
			Word{Key: "hardware.accelerator." + k[0] + ".count", Unit: "count", Meaning: "how many of them", From: k[2],
				Since: "0.1"})
	}
	return Subject{Name: "accelerator", Words: words, Uevents: []string{"pci", "usb", "accel", "apex", "devfreq",
		"fpga_manager"}, Probe: probeAccelerator}
}

var acceleratorKinds = [...][3]string{
	{"coral", "a Coral Edge TPU", "PCI 1ac1:089a, USB 1a6e:089a and 18d1:9302, /sys/class/apex"},
	{"hailo", "a Hailo processor", "PCI vendor 1e60"},
	{"npu", "a neural processor of a SoC, a laptop or a card", "/sys/class/accel, /sys/class/devfreq, PCI"},
	{"fpga", "an FPGA", "/sys/class/fpga_manager, PCI vendors 10ee and 1172"},
	{"vpu", "a vision processor (Movidius)", "USB 03e7, PCI 8086:6240"},
}

// accelerator is one device; key is what two sources have in common when they show the same one.
type accelerator struct {
	kind, vendor, model string
	usb                 bool
	evidence            Evidence
}

func probeAccelerator(p *Pass) error {
	found := map[string]accelerator{}
	var order []string
	add := func(key string, a accelerator) {
		if _, known := found[key]; !known {
			order = append(order, key)
			found[key] = a
		}
	}
	devices, err := pciDevices(p)
	p.Doubt("", err)
	for _, d := range devices {
		if a, ok := pciAccelerator(d); ok {
			a.model = pciName(p, d.vendor, d.device)
			a.evidence = d.evidence
			add(d.address, a)
		}
	}
	usb, err := usbDevices(p)
	p.Doubt("", err)
	for _, d := range usb {
		if a, ok := usbAccelerator(d); ok {
			add("usb "+d.name, a)
		}
	}
	for _, class := range []string{"/sys/class/apex", "/sys/class/accel", "/sys/class/hailo_chardev", "/sys/class/devfreq",
		"/sys/class/fpga_manager", "/sys/class/drm", "/sys/class/misc"} {
		classAccelerators(p, class, add)
	}
	tellAccelerators(p, found, order)
	return nil
}

func tellAccelerators(p *Pass, found map[string]accelerator, order []string) {
	counts := map[string]int{}
	for _, key := range order {
		a := found[key]
		at := "hardware.accelerator." + a.kind
		counts[a.kind]++
		p.Tag(at, a.evidence)
		p.Value("hardware.accelerator.model", a.model, a.evidence)
		switch {
		case a.kind == "coral" && a.usb:
			p.Tag(at+".usb", a.evidence)
		case a.kind == "coral":
			p.Tag(at+".pcie", a.evidence)
		case a.kind == "npu":
			p.Value(at+".vendor", a.vendor, a.evidence)
		}
	}
	if len(order) == 0 {
		return
	}
	first := found[order[0]].evidence
	p.Tag("hardware.accelerator", first)
	p.Count("hardware.accelerator.count", int64(len(order)), first)
	for kind, n := range counts {
		p.Count("hardware.accelerator."+kind+".count", int64(n), first)
	}
}

func pciAccelerator(d pciDevice) (accelerator, bool) {
	processing := d.base() == 0x12
	switch {
	case d.vendor == 0x1ac1 && d.device == 0x089a:
		return accelerator{kind: "coral"}, true
	case d.vendor == 0x1e60:
		return accelerator{kind: "hailo"}, true
	case d.vendor == 0x8086 && (d.driver == "intel_vpu" || knownNPU(d)):
		return accelerator{kind: "npu", vendor: "intel"}, true
	case d.vendor == 0x8086 && d.device == 0x6240:
		return accelerator{kind: "vpu", vendor: "intel"}, true
	case d.vendor == 0x1022 && (d.driver == "amdxdna" || knownNPU(d)):
		return accelerator{kind: "npu", vendor: "amd"}, true
	case d.vendor == 0x17cb && (processing || d.driver == "qaic"):
		return accelerator{kind: "npu", vendor: "qualcomm"}, true
	case d.vendor == 0x1da3:
		return accelerator{kind: "npu", vendor: "habana"}, true
	case (d.vendor == 0x10ee || d.vendor == 0x1172) && (processing || d.base() == 0x05 || d.base() == 0x0b):
		return accelerator{kind: "fpga"}, !strings.HasSuffix(d.address, ".1") // the second function of one card
	case processing && d.vendor != 0x1002 && d.vendor != 0x10de && d.vendor != 0x1ed5:
		return accelerator{kind: "npu", vendor: "other"}, d.vendor != 0x8086
	}
	return accelerator{}, false
}

func knownNPU(d pciDevice) bool {
	return strings.Contains(knownPCI[uint32(d.vendor)<<16|uint32(d.device)], "NPU")
}

// usbAccelerator knows the sticks. A Coral changes its id when its firmware is loaded on first use.
func usbAccelerator(d usbDevice) (accelerator, bool) {
	switch uint32(d.vendor)<<16 | uint32(d.product) {
	case 0x1a6e089a, 0x18d19302:
		return accelerator{kind: "coral", model: "Google Coral Edge TPU", usb: true, evidence: d.evidence}, true
	case 0x03e72485, 0x03e7f63b:
		return accelerator{kind: "vpu", model: "Intel Movidius Myriad X", usb: true, evidence: d.evidence}, true
	case 0x03e72150:
		return accelerator{kind: "vpu", model: "Intel Movidius Myriad 2", usb: true, evidence: d.evidence}, true
	}
	return accelerator{}, false
}

// mayAccelerate tells by its name whether a class device is worth a look.
func mayAccelerate(class, name string) bool {
	switch class {
	case "devfreq":
		return strings.HasSuffix(name, ".npu")
	case "drm":
		return numbered(name, "card")
	case "misc":
		return strings.HasPrefix(name, "fastrpc-cdsp")
	}
	return true
}

// classAccelerators adds what a driver shows in a class, under the bus address of its device.
func classAccelerators(p *Pass, class string, add func(string, accelerator)) {
	for _, name := range p.Names(class) {
		if !mayAccelerate(path.Base(class), name) {
			continue
		}
		device := p.Real(class + "/" + name + "/device")
		driver := p.Link(device + "/driver")
		a := accelerator{evidence: Evidence{Path: class + "/" + name, Raw: device}}
		switch path.Base(class) {
		case "apex":
			a.kind, a.model = "coral", "Google Coral Edge TPU"
		case "hailo_chardev":
			a.kind, a.model = "hailo", "Hailo"
		case "fpga_manager":
			a.kind, a.model = "fpga", p.Text(class+"/"+name+"/name")
		case "accel":
			a.kind, a.vendor, a.model = "npu", npuDrivers[driver], driver
		case "devfreq":
			a.kind, a.vendor, a.model = "npu", "rockchip", "Rockchip NPU"
		case "drm":
			if npuDrivers[driver] == "" {
				continue
			}
			a.kind, a.vendor, a.model = "npu", npuDrivers[driver], driver
		case "misc":
			a.kind, a.vendor, a.model, device = "npu", "qualcomm", "Qualcomm Hexagon", "cdsp"
		}
		if device == "" {
			device = class + "/" + name
		}
		add(path.Base(device), a)
	}
}
