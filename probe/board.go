package probe

import "strings"

func boardSubject() Subject {
	return Subject{
		Name:  "board",
		Probe: probeBoard,
		Words: []Word{
			{Key: "hardware.board.vendor", Unit: "text", Meaning: "who made the board or the machine",
				From: "device tree, DMI, build.prop", Since: "0.1", Node: "node_dmi_info{system_vendor}"},
			{Key: "hardware.board.model", Unit: "text", Meaning: "model of the board or the machine",
				From: "device tree, DMI, build.prop", Since: "0.1", Node: "node_dmi_info{product_name}"},
			{Key: "hardware.board.compatible", Many: true, Unit: "text", Meaning: "a name the device tree gives the board, once for each",
				From: "/proc/device-tree/compatible", Since: "0.1"},
			{Key: "hardware.board.family", Many: true, Unit: "text", Meaning: "raspberrypi, jetson, beagle, or the vendor of the chip",
				From: "/proc/device-tree/compatible", Since: "0.1"},
			{Key: "hardware.board.module", Unit: "text", Meaning: "module on a Jetson carrier board",
				From: "/proc/device-tree/compatible", Since: "0.1"},
			{Key: "hardware.soc", Unit: "text", Meaning: "system on chip", From: "device tree, soc0, /proc/cpuinfo",
				Since: "0.1"},
			{Key: "hardware.soc_vendor", Unit: "text", Meaning: "who made the system on chip",
				From: "device tree, soc0, /proc/cpuinfo", Since: "0.1"},
			{Key: "hardware.chassis", Unit: "text", Meaning: "desktop, laptop, server, tablet, handset or embedded",
				From: "/sys/class/dmi/id/chassis_type", Since: "0.1"},
			{Key: "software.jetson.l4t", Unit: "text", Meaning: "release of Linux for Tegra", From: "/etc/nv_tegra_release",
				Since: "0.1"},
			{Key: "software.jetson.jetpack", Unit: "text", Meaning: "JetPack that brought it", From: "/etc/nv_tegra_release",
				Since: "0.1"},
		},
	}
}

// deviceTree is the root node of a flattened device tree.
type deviceTree struct {
	model, compatibleFile Evidence
	compatible            []string
}

func readDeviceTree(p *Pass) deviceTree {
	var d deviceTree
	for _, dir := range []string{"/proc/device-tree", "/sys/firmware/devicetree/base"} {
		model, err := p.Read(dir + "/model")
		p.Doubt("hardware.board", err)
		compatible, err := p.Read(dir + "/compatible")
		p.Doubt("hardware.board", err)
		if model.Raw == "" && compatible.Raw == "" {
			continue
		}
		d.model, d.compatibleFile = model, compatible
		for c := range strings.SplitSeq(compatible.Raw, "\x00") {
			if c = strings.TrimSpace(c); c != "" && len(d.compatible) < 32 {
				d.compatible = append(d.compatible, c)
			}
		}
		return d
	}
	return d
}

func probeBoard(p *Pass) error {
	d := readDeviceTree(p)
	info, _ := readCPUInfo(p)
	name(p, d, info)
	if c, from := findChip(p, d, info); c.name != "" {
		p.Value("hardware.soc", c.name, from)
		p.Value("hardware.soc_vendor", c.vendor, from)
		p.Meta("soc", soldAs[c.name])
	}
	for _, c := range d.compatible {
		p.Value("hardware.board.compatible", c, d.compatibleFile.With(c))
	}
	if family, from := familyOf(d); family != "" {
		p.Value("hardware.board.family", family, from)
	}
	if j, ok := findJetson(p, d); ok {
		if j.chip != "" {
			p.Value("hardware.board.family", "jetson", j.from)
		}
		p.Value("hardware.board.module", j.module, d.compatibleFile)
		p.Value("software.jetson.l4t", j.l4t, j.release)
		p.Value("software.jetson.jetpack", j.jetpack, j.release.As(Medium))
	}
	chassis(p)
	return nil
}

// name states vendor and model by the best source there is: device tree, DMI, Android, and last /proc/cpuinfo.
func name(p *Pass, d deviceTree, info cpuinfo) {
	if text := d.model.Text(); text != "" || len(d.compatible) > 0 {
		p.Value("hardware.board.model", text, d.model)
		p.Meta("board", text)
		if len(d.compatible) > 0 {
			vendor, board, ok := strings.Cut(d.compatible[0], ",")
			if !ok {
				vendor, board = "", vendor
			}
			p.Value("hardware.board.vendor", vendor, d.compatibleFile.With(d.compatible[0]))
			if text == "" {
				p.Value("hardware.board.model", board, d.compatibleFile.With(d.compatible[0]).As(Medium))
			}
		}
		return
	}
	const dmi = "/sys/class/dmi/id/"
	vendor, err := p.Read(dmi + "sys_vendor")
	p.Doubt("hardware.board.vendor", err)
	model, err := p.Read(dmi + "product_name")
	p.Doubt("hardware.board.model", err)
	if placeholder(vendor.Text()) || placeholder(model.Text()) {
		vendor, _ = p.Read(dmi + "board_vendor")
		model, _ = p.Read(dmi + "board_name")
	}
	if !placeholder(model.Text()) {
		p.Value("hardware.board.vendor", vendor.Text(), vendor)
		p.Value("hardware.board.model", model.Text(), model)
		p.Meta("board", vendor.Text()+" "+model.Text())
		return
	}
	props := readProps(p)
	maker, product := props.first("ro.product.manufacturer", "ro.product.brand"), props.first("ro.product.model")
	if maker != "" || product != "" {
		p.Value("hardware.board.vendor", maker, props.With("ro.product.manufacturer="+maker))
		p.Value("hardware.board.model", product, props.With("ro.product.model="+product))
		return
	}
	board := info.board
	if segment("N", board) {
		board = "" // a number of x86 and others, no name
	}
	for _, text := range []string{board, info.hardware, info.machine, info.system} {
		text, _, _ = strings.Cut(text, " (")
		if text != "" && !strings.HasPrefix(text, "Generic") && text != "Rockchip" {
			p.Value("hardware.board.model", text, info.With(text).As(Low))
			return
		}
	}
}

// placeholder knows what firmware makers leave where a name should be.
func placeholder(text string) bool {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "", "to be filled by o.e.m.", "default string", "system manufacturer", "system product name", "not specified",
		"not applicable", "none", "unknown", "o.e.m.", "oem", "n/a", "empty", "undefined", "system version":
		return true
	}
	return false
}

// findChip names the system on chip by the best source: device tree, the kernel's soc device, /proc/cpuinfo, Android.
func findChip(p *Pass, d deviceTree, info cpuinfo) (chip, Evidence) {
	if c, from := chipOfCompatible(d.compatible); c.name != "" {
		return c, d.compatibleFile.With(from)
	}
	if j, ok := findJetson(p, d); ok && j.chip != "" {
		return chip{"nvidia", j.chip}, j.from
	}
	for _, file := range []string{"soc_id", "machine", "family"} {
		e, err := p.Read("/sys/devices/soc0/" + file)
		if err != nil {
			continue
		}
		if c, from := chipOfText(e.Text()); c.name != "" {
			return c, e.With(from)
		}
	}
	c, from := chipOfText(info.hardware)
	if c.name == "" {
		c, from = chipOfText(info.first().model)
	}
	if c.name == "" {
		if c, e := chipOfProps(readProps(p)); c.name != "" {
			return c, e
		}
	}
	if c.vendor == "broadcom" {
		first := info.first()
		if name, ok := raspberryCores[armModel(first.implementer, first.part)]; ok && strings.HasPrefix(c.name, "bcm2") {
			c.name = name
		}
	}
	return c, info.With(from).As(Medium)
}

// chipOfProps comes last: Android's properties often name the family of the chip only.
func chipOfProps(props props) (chip, Evidence) {
	for _, key := range []string{"ro.chipname", "ro.mediatek.platform", "ro.board.platform", "ro.product.board",
		"ro.hardware"} {
		if c, _ := chipOfText(props.values[key]); c.name != "" {
			return c, props.With(key + "=" + props.values[key])
		}
	}
	return chip{}, Evidence{}
}

func familyOf(d deviceTree) (string, Evidence) {
	for _, c := range d.compatible {
		vendor, _, _ := strings.Cut(c, ",")
		switch vendor {
		case "raspberrypi":
			return "raspberrypi", d.compatibleFile.With(c)
		case "beagle":
			return "beagle", d.compatibleFile.With(c)
		}
	}
	c, from := chipOfCompatible(d.compatible)
	if c.vendor == "broadcom" || c.vendor == "nvidia" {
		return "", Evidence{}
	}
	return c.vendor, d.compatibleFile.With(from)
}

// props are Android's build properties.
type props struct {
	Evidence
	values map[string]string
}

func (p props) first(keys ...string) string {
	for _, k := range keys {
		if v := p.values[k]; !placeholder(v) && !strings.HasPrefix(v, "generic") {
			return v
		}
	}
	return ""
}

func readProps(p *Pass) props {
	e, err := p.Read("/system/build.prop")
	found := props{e, map[string]string{}}
	if err != nil {
		return found
	}
	for line := range strings.Lines(e.Raw) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok && strings.HasPrefix(k, "ro.") {
			found.values[k] = v
		}
	}
	return found
}

// chassisKinds are by the number in SMBIOS, table 7.4.1 of its specification.
var chassisKinds = map[int64]string{
	3: "desktop", 4: "desktop", 5: "desktop", 6: "desktop", 7: "desktop", 13: "desktop", 15: "desktop", 16: "desktop",
	24: "desktop", 35: "desktop", 36: "desktop",
	8: "laptop", 9: "laptop", 10: "laptop", 14: "laptop", 31: "laptop", 32: "laptop",
	11: "handset", 30: "tablet",
	17: "server", 23: "server", 25: "server", 28: "server", 29: "server",
	33: "embedded", 34: "embedded",
}

func chassis(p *Pass) {
	n, e, err := p.Number("/sys/class/dmi/id/chassis_type")
	if err == nil {
		p.Value("hardware.chassis", chassisKinds[n], e)
		return
	}
	if !Missing(err) {
		p.Doubt("hardware.chassis", err)
	}
	if e, err := p.Read("/proc/device-tree/chassis-type"); err == nil {
		p.Value("hardware.chassis", e.Text(), e)
	}
}
