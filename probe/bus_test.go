package probe

import "testing"

func TestBusesAreCounted(t *testing.T) {
	port := func(name, place, driver, kind string) machine {
		m := machine{"/sys/class/tty/" + name: "-> /sys/devices/" + place + "/tty/" + name,
			"/sys/devices/" + place + "/tty/" + name + "/device": "-> /sys/devices/" + place,
			"/sys/devices/" + place + "/driver":                  "-> /sys/bus/x/drivers/" + driver}
		if kind != "" {
			m["/sys/devices/"+place+"/tty/"+name+"/type"] = kind + "\n"
		}
		return m
	}
	m := machine{
		"/sys/bus/i2c/devices/i2c-1/": "", "/sys/bus/i2c/devices/i2c-10/": "", "/sys/bus/i2c/devices/1-0076/": "",
		"/sys/class/spi_master/spi0/": "", "/sys/class/spidev/spidev0.0/": "", "/sys/class/spidev/spidev0.1/": "",
		"/sys/bus/gpio/devices/gpiochip0/": "", "/sys/bus/gpio/devices/gpiochip1/": "",
		"/sys/class/gpio/gpiochip512/ngpio": "58\n", "/sys/class/gpio/gpiochip570/ngpio": "8\n",
		"/sys/bus/w1/devices/w1_bus_master1/": "", "/sys/bus/w1/devices/28-0123/": "",
		"/sys/bus/usb/devices/usb1/": "", "/sys/bus/usb/devices/1-1/": "", "/sys/bus/usb/devices/1-1:1.0/": "",
		"/sys/class/tty/tty1/": "", "/sys/class/tty/ptmx/": "",
	}.with(port("ttyAMA0", "platform/fe201000.serial", "uart-pl011", "32")).
		with(port("ttyS0", "platform/serial8250", "serial8250", "0")).
		with(port("ttyS1", "pnp0/00:05", "serial", "4")).
		with(port("ttyUSB0", "pci0/usb1/1-1/1-1:1.0/ttyUSB0", "ftdi_sio", "")).
		with(netDevice("can0", "platform/spi0.0", "mcp251x", machine{"type": "280\n"})).
		with(pciFunction("0000:00:02.0", "8086:3E92", "30000", "i915", nil))
	wantTags(t, busSubject(), m, `
		hardware.bus.i2c hardware.bus.i2c.count=2 hardware.bus.spi hardware.bus.spi.count=1
		hardware.bus.gpio hardware.bus.gpio.count=2 hardware.bus.gpio.lines=66
		hardware.bus.w1 hardware.bus.w1.count=1 hardware.bus.can hardware.bus.can.count=1
		hardware.bus.usb hardware.bus.usb.count=1 hardware.bus.usb.devices=1
		hardware.bus.pci hardware.bus.pci.count=1 hardware.bus.pci.devices=1
		hardware.bus.serial hardware.bus.serial.count=3 hardware.bus.serial.port.ttyama0
		hardware.bus.serial.port.ttys1 hardware.bus.serial.port.ttyusb0`)
}
