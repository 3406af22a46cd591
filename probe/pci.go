package probe

import (
	"strconv"
	"strings"
)

// pciDevice is one PCI function as sysfs shows it.
type pciDevice struct {
	address        string // 0000:01:00.0
	vendor, device uint16
	subsystem      uint32 // vendor << 16 | device
	class          uint32 // base << 16 | sub << 8 | interface
	driver         string // empty where none is bound
	dir            string // its directory in /sys
	evidence       Evidence
}

const pciRoot = "/sys/bus/pci/devices"

func (d pciDevice) base() uint8 { return uint8(d.class >> 16) }

// pciDevices lists every PCI function. One read of uevent tells all there is; trees without it are asked file by file.
func pciDevices(p *Pass) ([]pciDevice, error) {
	addresses, err := p.List(pciRoot)
	devices := make([]pciDevice, 0, len(addresses))
	for _, address := range addresses {
		d, readErr := readPCI(p, address, pciRoot+"/"+address)
		if readErr != nil {
			err = readErr
		}
		if d.vendor != 0 {
			devices = append(devices, d)
		}
	}
	return devices, err
}

// readPCI reads one function's directory; its vendor is 0 where that holds no PCI function.
func readPCI(p *Pass, address, dir string) (pciDevice, error) {
	d := pciDevice{address: address, dir: dir}
	e, err := p.Read(dir + "/uevent")
	d.evidence = e
	if !d.fromUevent(e.Raw) && !d.fromFiles(p) {
		return pciDevice{}, ifPresent(err)
	}
	if d.driver == "" {
		d.driver = p.Link(dir + "/driver")
	}
	return d, nil
}

func (d *pciDevice) fromUevent(text string) (ok bool) {
	var class bool
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch key {
		case "DRIVER":
			d.driver = value
		case "PCI_CLASS":
			n, err := strconv.ParseUint(value, 16, 32)
			d.class, class = uint32(n), err == nil
		case "PCI_ID":
			id, good := idPair(value)
			d.vendor, d.device, ok = uint16(id>>16), uint16(id), good
		case "PCI_SUBSYS_ID":
			d.subsystem, _ = idPair(value)
		}
	}
	return ok && class
}

func (d *pciDevice) fromFiles(p *Pass) bool {
	vendor, e, err := p.Number(d.dir + "/vendor")
	device, _, err2 := p.Number(d.dir + "/device")
	class, _, err3 := p.Number(d.dir + "/class")
	if err != nil || err2 != nil || err3 != nil {
		return false
	}
	d.vendor, d.device, d.class, d.evidence = uint16(vendor), uint16(device), uint32(class), e
	sv, _, err := p.Number(d.dir + "/subsystem_vendor")
	sd, _, err2 := p.Number(d.dir + "/subsystem_device")
	if err == nil && err2 == nil {
		d.subsystem = uint32(sv)<<16 | uint32(uint16(sd))
	}
	return true
}

// idPair reads VVVV:DDDD, both hexadecimal.
func idPair(text string) (uint32, bool) {
	v, d, ok := strings.Cut(text, ":")
	vendor, err := strconv.ParseUint(v, 16, 16)
	device, err2 := strconv.ParseUint(d, 16, 16)
	return uint32(vendor)<<16 | uint32(device), ok && err == nil && err2 == nil
}

// usbDevice is one USB device, not one of its interfaces.
type usbDevice struct {
	name            string // bus and ports, such as 1-1.4
	vendor, product uint16
	text            string // product string of the device, where it has one
	evidence        Evidence
}

const usbRoot = "/sys/bus/usb/devices"

// usbDevices lists what is plugged in and built in, hubs of the controllers themselves (usbN) left out.
func usbDevices(p *Pass) ([]usbDevice, error) {
	names, err := p.List(usbRoot)
	var devices []usbDevice
	for _, name := range names {
		if strings.HasPrefix(name, "usb") || strings.Contains(name, ":") {
			continue
		}
		dir := usbRoot + "/" + name
		e, readErr := p.Read(dir + "/idVendor")
		if readErr != nil {
			if !Missing(readErr) {
				err = readErr
			}
			continue
		}
		id, ok := idPair(e.Text() + ":" + p.Text(dir+"/idProduct"))
		if !ok {
			continue
		}
		devices = append(devices, usbDevice{name, uint16(id >> 16), uint16(id), p.Text(dir + "/product"), e})
	}
	return devices, err
}
