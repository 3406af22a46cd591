package probe

import (
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
	tell := func(bus string, n int, where string) {
		if n > 0 {
			e := Evidence{Path: where, Raw: bus}
			p.Tag("hardware.bus."+bus, e)
			p.Count("hardware.bus."+bus+".count", int64(n), e)
		}
	}
	count := func(dir, prefix string) (n int) {
		names, err := p.List(dir)
		p.Doubt("", err)
		for _, name := range names {
			if numbered(name, prefix) {
				n++
			}
		}
		return n
	}
	tell("i2c", count("/sys/bus/i2c/devices", "i2c-"), "/sys/bus/i2c/devices")
	spi := count("/sys/class/spi_master", "spi")
	for _, name := range p.Names("/sys/class/spidev") {
		if spi == 0 && strings.HasPrefix(name, "spidev") {
			spi = 1
		}
	}
	tell("spi", spi, "/sys/class/spi_master")
	chips := count("/sys/bus/gpio/devices", "gpiochip")
	if legacy := count("/sys/class/gpio", "gpiochip"); chips == 0 {
		chips = legacy
	}
	tell("gpio", chips, "/sys/bus/gpio/devices")
	gpioLines(p)
	tell("w1", count("/sys/bus/w1/devices", "w1_bus_master"), "/sys/bus/w1/devices")
	can := 0
	for _, name := range p.Names(netClass) {
		if kind, _ := linkKind(p, name); kind == "can" {
			can++
		}
	}
	tell("can", can, netClass)
	tell("usb", count(usbRoot, "usb"), usbRoot)
	plugged := 0
	for _, name := range p.Names(usbRoot) {
		if !strings.HasPrefix(name, "usb") && !strings.Contains(name, ":") {
			plugged++
		}
	}
	if plugged > 0 {
		p.Count("hardware.bus.usb.devices", int64(plugged), Evidence{Path: usbRoot})
	}
	roots := map[string]bool{}
	functions := p.Names(pciRoot)
	for _, name := range functions {
		// The link's text tells the root bus; following it would take a look at every directory between.
		if target, err := p.tree.Readlink(pciRoot + "/" + name); err == nil {
			_, below, _ := strings.Cut(target, "/pci")
			root, _, _ := strings.Cut(below, "/")
			roots[root] = true
		}
	}
	tell("pci", len(roots), pciRoot)
	if len(functions) > 0 {
		p.Count("hardware.bus.pci.devices", int64(len(functions)), Evidence{Path: pciRoot})
	}
	serialPorts(p, tell)
	return nil
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
func serialPorts(p *Pass, tell func(bus string, n int, where string)) {
	n := 0
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
		n++
		p.Tag("hardware.bus.serial.port."+keyword(name), e)
	}
	tell("serial", n, "/sys/class/tty")
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
