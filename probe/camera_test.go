package probe

import "testing"

// videoNode writes one video4linux node of the device at place; without hardware where that is empty.
func videoNode(node, name, place, driver string) machine {
	dir := "/sys/devices/virtual/video4linux/" + node
	m := machine{}
	if place != "" {
		dir = "/sys/devices/" + place + "/video4linux/" + node
		m[dir+"/device"] = "-> /sys/devices/" + place
		m["/sys/devices/"+place+"/driver"] = "-> /sys/bus/x/drivers/" + driver
	}
	m[videoClass+"/"+node] = "-> " + dir
	m[dir+"/name"] = name + "\n"
	return m
}

func TestCamerasAreToldFromCodecs(t *testing.T) {
	const soc = "platform/soc/3f00b840.mailbox/"
	tests := map[string]struct {
		machine machine
		want    string
	}{
		"none": {machine{"/sys/": ""}, ``},
		"the codecs of a Raspberry Pi": {
			videoNode("video10", "bcm2835-codec-decode", soc+"bcm2835-codec", "bcm2835-codec").
				with(videoNode("video13", "bcm2835-isp-output0", soc+"bcm2835-isp", "bcm2835-isp")).
				with(videoNode("video19", "rpivid", "platform/feb10000.codec", "rpivid")).
				with(videoNode("video20", "pispbe-input", "platform/axi/1000880000.pisp_be", "pispbe")), ``},
		"a camera whose name has the letters of a codec in it": {
			videoNode("video0", "Device capture", "platform/soc/fe801000.csi", "sun6i-csi"), `
			hardware.camera hardware.camera.count=1 hardware.camera.csi hardware.camera.model=device-capture`},
		"its camera, with old and new drivers": {
			videoNode("video0", "unicam-image", "platform/soc/fe801000.csi", "unicam").
				with(videoNode("video1", "unicam-embedded", "platform/soc/fe801000.csi", "unicam")).
				with(videoNode("video2", "mmal service 16.1", "", "")), `
			hardware.camera hardware.camera.count=2 hardware.camera.csi
			hardware.camera.model=unicam-image hardware.camera.model=mmal-service-16.1`},
		"one webcam with several interfaces and nodes, and another": {
			videoNode("video0", "Integrated_Webcam_HD: Integrate", "pci0/usb1/1-5/1-5:1.0", "uvcvideo").
				with(videoNode("video1", "Integrated_Webcam_HD: Integrate", "pci0/usb1/1-5/1-5:1.0", "uvcvideo")).
				with(videoNode("video2", "Integrated_Webcam_HD: IR", "pci0/usb1/1-5/1-5:1.2", "uvcvideo")).
				with(videoNode("video4", "HD Pro Webcam C920", "pci0/usb1/1-6/1-6:1.0", "uvcvideo")), `
			hardware.camera hardware.camera.count=2 hardware.camera.usb
			hardware.camera.model=integrated_webcam_hd-integrate hardware.camera.model=hd-pro-webcam-c920`},
		"a laptop's camera port beside a loopback": {
			videoNode("video0", "Virtual Camera", "", "").
				with(videoNode("video1", "Intel IPU6 ISYS Capture 0", "pci0000:00/0000:00:05.0/intel_ipu6.isys.40", "isys")).
				with(videoNode("video2", "Intel IPU6 ISYS Capture 1", "pci0000:00/0000:00:05.0/intel_ipu6.isys.40", "isys")).
				with(videoNode("v4l-subdev0", "Intel IPU6 CSI2 0", "pci0000:00/0000:00:05.0/intel_ipu6.isys.40", "isys")), `
			hardware.camera hardware.camera.count=1 hardware.camera.csi
			hardware.camera.model=intel-ipu6-isys-capture-0`},
		"a frame grabber": {
			videoNode("video0", "cx23885", "pci0000:00/0000:03:00.0", "cx23885"), `
			hardware.camera hardware.camera.count=1 hardware.camera.pci hardware.camera.model=cx23885`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { wantTags(t, cameraSubject(), tt.machine, tt.want) })
	}
}
