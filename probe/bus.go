package probe

import (
	"slices"
	"strings"
)

func busSubject() Subject {
	words := []Word{
		{Key: "hardware.bus.gpio.lines", Unit: "count", Meaning: "GPIO lines of all controllers together",
			From: "/sys/class/gpio/*/ngpio", Since: "0.1"},
		{Key: "hardware.bus.serial.port.NAME", Meaning: "the serial port NAME has hardware behind it", From: "/sys/class/tty",
			Since: "0.1"},
		{Key: "hardware.bus.usb.devices", Unit: "count", Meaning: "USB devices, those built in and hubs among them",
			From: "/sys/bus/usb/devices", Since: "0.1"},
		{Key: "hardware.bus.pci.devices", Unit: "count", Meaning: "PCI functions", From: "/sys/bus/pci/devices", Since: "0.1"},
	}
	for _, b := range busKinds {
		words = append(words, Word{Key: "hardware.bus." + b[0], Meaning: "has " + b[1], From: b[2], Since: "0.1"},
			Word{Key: "hardware.bus." + b[0] + ".count", Unit: "count", Meaning: b[3], From: b[2], Since: "0.1"})
	}
	return Subject{Name: "bus", Words: words, Uevents: []string{"tty", "usb", "gpio", "i2c", "spi", "w1", "pci"},
		Probe: probeBus}
}

// busKinds are the buses that devices are attached to: name, what it is, where it shows, what is counted.
var busKinds = [...][4]string{
	{"i2c", "an I2C bus", "/sys/bus/i2c/devices", "I2C adapters"},
	{"spi", "an SPI bus", "/sys/class/spi_master, /sys/class/spidev", "SPI controllers"},
	{"gpio", "general purpose lines", "/sys/bus/gpio/devices", "GPIO controllers"},
	{"serial", "a serial port with hardware behind it", "/sys/class/tty", "serial ports that exist"},
	{"can", "a CAN bus", "/sys/class/net, type 280", "CAN interfaces"},
	{"w1", "a 1-wire bus", "/sys/bus/w1/devices", "1-wire masters"},
	{"usb", "USB", "/sys/bus/usb/devices", "USB host controllers"},
	{"pci", "PCI", "/sys/bus/pci/devices", "PCI root buses"},
}

func probeBus(p *Pass) error {
	p.tellBus("i2c", "/sys/bus/i2c/devices", p.thoseOf("/sys/bus/i2c/devices", "i2c-"))
	p.tellBus("spi", "/sys/class/spi_master", p.spiControllers())
	chips := p.thoseOf("/sys/bus/gpio/devices", "gpiochip")
	if len(chips) == 0 {
		chips = p.thoseOf("/sys/class/gpio", "gpiochip")
	}
	p.tellBus("gpio", "/sys/bus/gpio/devices", chips)
	gpioLines(p)
	p.tellBus("w1", wireDevices, p.thoseOf(wireDevices, "w1_bus_master"))
	var can []string
	for _, name := range p.Names(netClass) {
		if kind, _ := linkKind(p, name); kind == "can" {
			can = append(can, name)
		}
	}
	p.tellBus("can", netClass, can)
	p.tellBus("usb", usbRoot, p.thoseOf(usbRoot, "usb"))
	var plugged []string
	for _, name := range p.Names(usbRoot) {
		if !strings.HasPrefix(name, "usb") && !strings.Contains(name, ":") {
			plugged = append(plugged, name)
		}
	}
	if len(plugged) > 0 {
		p.Count("hardware.bus.usb.devices", int64(len(plugged)), listing(usbRoot, plugged))
	}
	functions := p.Names(pciRoot)
	p.tellBus("pci", pciRoot, p.pciRoots(functions))
	if len(functions) > 0 {
		p.Count("hardware.bus.pci.devices", int64(len(functions)), listing(pciRoot, functions))
	}
	p.tellBus("serial", "/sys/class/tty", p.serialPorts())
	return nil
}

func (p *Pass) tellBus(bus, where string, names []string) {
	if len(names) > 0 {
		e := listing(where, names)
		p.Tag("hardware.bus."+bus, e)
		p.Count("hardware.bus."+bus+".count", int64(len(names)), e)
	}
}

// listing is the evidence of a count: the names that were counted.
func listing(dir string, names []string) Evidence {
	return Evidence{Path: dir, Raw: strings.Join(names, " ")}
}

// thoseOf lists the names in a directory that are the prefix and a number.
func (p *Pass) thoseOf(dir, prefix string) []string {
	names, err := p.List(dir)
	p.Doubt("", err)
	return byNumberAfter(names, prefix)
}

// spiControllers lists SPI controllers, or at least one where only the nodes of its devices show.
func (p *Pass) spiControllers() []string {
	if masters := p.thoseOf("/sys/class/spi_master", "spi"); len(masters) > 0 {
		return masters
	}
	for _, name := range p.Names("/sys/class/spidev") {
		if strings.HasPrefix(name, "spidev") {
			return []string{name}
		}
	}
	return nil
}

// pciRoots lists the root buses that functions sit below, by the text of their links: following each would take a look
// at every directory between.
func (p *Pass) pciRoots(functions []string) []string {
	var roots []string
	for _, name := range functions {
		target, err := p.tree.Readlink(pciRoot + "/" + name)
		if err != nil {
			continue
		}
		_, below, _ := strings.Cut(target, "/pci")
		if root, _, ok := strings.Cut(below, "/"); ok && !slices.Contains(roots, root) {
			roots = append(roots, root)
		}
	}
	return roots
}

func gpioLines(p *Pass) {
	var lines int64
	var e Evidence
	for _, name := range p.Names("/sys/class/gpio") {
		if !numbered(name, "gpiochip") {
			continue
		}
		if n, at, err := p.Number("/sys/class/gpio/" + name + "/ngpio"); err == nil && n > 0 && n <= 4096 {
			lines, e = lines+n, at
		}
	}
	if lines > 0 {
		p.Count("hardware.bus.gpio.lines", lines, e)
	}
}

// serialPorts finds the ports that exist: the 8250 driver registers some for hardware that may not be there, and says
// so by type 0.
func (p *Pass) serialPorts() []string {
	var ports []string
	for _, name := range p.Names("/sys/class/tty") {
		if strings.HasPrefix(name, "tty") && len(name) > 3 && name[3] >= '0' && name[3] <= '9' {
			continue // a virtual console
		}
		dir := "/sys/class/tty/" + name
		if target, err := p.tree.Readlink(dir); err == nil && strings.Contains(target, "/devices/virtual/") {
			continue
		}
		device := p.Real(dir + "/device")
		if device == "" || strings.Contains(device, "/devices/virtual/") {
			continue
		}
		driver := p.serialDriver(device)
		kind, e, err := p.Number(dir + "/type")
		if err != nil {
			e = Evidence{Path: dir + "/device", Raw: device}
		}
		if driver == "serial8250" && (err != nil || kind == 0) || err == nil && kind == 0 && strings.HasPrefix(name, "ttyS") {
			continue
		}
		ports = append(ports, name)
		p.Tag("hardware.bus.serial.port."+keyword(name), e)
	}
	return ports
}

// serialDriver is the driver of a port's hardware. Newer kernels put a controller and a port of their own between.
func (p *Pass) serialDriver(device string) string {
	for range 3 {
		driver := p.Link(device + "/driver")
		if driver != "" && driver != "port" && driver != "ctrl" {
			return driver
		}
		device = device[:max(strings.LastIndexByte(device, '/'), 0)]
	}
	return ""
}
