package probe

import (
	"path"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

func cameraSubject() Subject {
	words := []Word{
		{Key: "hardware.camera", Meaning: "has a camera or another source of pictures; codecs are none",
			From: "/sys/class/video4linux", Since: "0.1"},
		{Key: "hardware.camera.count", Unit: "count", Meaning: "cameras, one with several nodes counted once",
			From: "/sys/class/video4linux", Since: "0.1"},
		{Key: "hardware.camera.model", Unit: "text", Meaning: "name of a camera", From: "/sys/class/video4linux/*/name",
			Since: "0.1"},
	}
	for kind, meaning := range map[string]string{"usb": "on USB", "csi": "on the processor's own camera port",
		"pci": "on PCI"} {
		words = append(words, Word{Key: "hardware.camera." + kind, Meaning: "has a camera " + meaning,
			From: "/sys/class/video4linux/*/device", Since: "0.1"})
	}
	sortWords(words)
	return Subject{Name: "camera", Words: words, Uevents: []string{"video4linux"}, Probe: probeCamera}
}

// codecs are words in the names of drivers whose video nodes change pictures and take none.
var codecs = map[string]bool{
	"codec": true, "vcodec": true, "isp": true, "vpu": true, "vdec": true, "rkvdec": true, "venc": true, "rkvenc": true,
	"dec": true, "enc": true, "decoder": true, "encoder": true, "hantro": true, "cedrus": true, "coda": true,
	"wave5": true, "rga": true, "jpeg": true, "mdp": true, "mdp3": true, "m2m": true, "mem2mem": true, "gsc": true,
	"g2d": true, "ge2d": true, "mfc": true, "venus": true, "iris": true, "deinterlace": true, "rotate": true,
	"pispbe": true, "pxp": true, "dma2d": true, "rpivid": true, "hevc": true, "allegro": true, "al5d": true, "al5e": true,
	"vicodec": true, "vim2m": true, "vivid": true, "amphion": true, "delta": true, "bdisp": true, "vsp1": true,
	"fdp1": true, "fcp": true, "nvenc": true, "nvdec": true, "vic": true, "vde": true, "scaler": true,
}

// camera is one source of pictures, all of its nodes together.
type camera struct {
	kind, model string
	evidence    Evidence
}

const videoClass = "/sys/class/video4linux"

func probeCamera(p *Pass) error {
	names, err := p.List(videoClass)
	p.Doubt("", err)
	found := map[string]bool{}
	var cameras []camera
	for _, name := range names {
		if !numbered(name, "video") {
			continue
		}
		c, owner := readCamera(p, name)
		if owner != "" && !found[owner] {
			found[owner] = true
			cameras = append(cameras, c)
		}
	}
	if len(cameras) == 0 {
		return nil
	}
	p.Tag("hardware.camera", cameras[0].evidence)
	p.Count("hardware.camera.count", int64(len(cameras)), cameras[0].evidence)
	for _, c := range cameras {
		p.Tag("hardware.camera."+c.kind, c.evidence)
		p.Value("hardware.camera.model", c.model, c.evidence)
	}
	return nil
}

// readCamera gives the device that a video node takes pictures from, empty where it takes none.
func readCamera(p *Pass, name string) (c camera, owner string) {
	dir := videoClass + "/" + name
	e, _ := p.Read(dir + "/name")
	c = camera{kind: "csi", model: e.Text(), evidence: e}
	device := p.Real(dir + "/device")
	if device == "" { // a copied tree without the link, or a node without hardware
		if device = strings.TrimSuffix(p.Real(dir), "/video4linux/"+name); !onHardware(device) {
			// The old camera stack of the Raspberry Pi gives its one camera no parent.
			if strings.HasPrefix(c.model, "mmal service") {
				return c, "mmal"
			}
			return c, ""
		}
	}
	driver := p.Link(device + "/driver")
	switch {
	case strings.Contains(device, "/usb"):
		c.kind = "usb"
		// One USB camera has several interfaces, and nodes for pictures, metadata and infrared on each.
		if before, _, ok := strings.Cut(path.Base(device), ":"); ok && before != "" {
			device = path.Dir(device)
		}
		return c, device
	case codec(driver, c.model, path.Base(device)):
		return c, ""
	case p.live && !captures("/dev/"+name):
		return c, ""
	case strings.Contains(device, "/pci"):
		c.kind = "pci"
		// Processors of laptops have a camera port that shows itself on PCI.
		if strings.Contains(driver+path.Base(device), "ipu") {
			c.kind = "csi"
		}
	}
	return c, device
}

// codec reports whether any word of the names is a codec's.
func codec(names ...string) bool {
	for _, name := range names {
		for word := range strings.FieldsFuncSeq(strings.ToLower(name), func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9')
		}) {
			if codecs[word] {
				return true
			}
		}
	}
	return false
}

// captures asks a video node for its abilities. Opening it starts nothing; where it cannot be opened, its driver's name
// has to do.
func captures(node string) bool {
	fd, err := unix.Open(node, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return true
	}
	defer unix.Close(fd)
	var capability struct {
		driver          [16]byte
		card, bus       [32]byte
		version         uint32
		all, thisDevice uint32
		reserved        [3]uint32
	}
	const (
		queryCap     = 0x80685600 // VIDIOC_QUERYCAP
		videoCapture = 0x00000001 | 0x00001000
		memToMem     = 0x00008000 | 0x00004000
		deviceCaps   = 0x80000000
	)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), queryCap, uintptr(unsafe.Pointer(&capability)))
	if errno != 0 {
		return true
	}
	caps := capability.all
	if caps&deviceCaps != 0 {
		caps = capability.thisDevice
	}
	return caps&videoCapture != 0 && caps&memToMem == 0
}
