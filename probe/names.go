package probe

import (
	"fmt"
	"strings"
)

// pciNames are where systems keep the names of PCI vendors and devices.
var pciNames = [...]string{"/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids", "/usr/share/pci.ids"}

const maxNameFile = 4 << 20

// pciName is what people call a PCI device: from the short table here, else from the system's own list, else empty.
func pciName(p *Pass, vendor, device uint16) string {
	if name := knownPCI[uint32(vendor)<<16|uint32(device)]; name != "" {
		return name
	}
	for _, file := range pciNames {
		if e, err := p.ReadMax(file, maxNameFile); err == nil {
			return idName(e.Raw, vendor, device)
		}
	}
	return ""
}

// idName finds a device in a list of the pci.ids form: "VVVV  vendor" at the margin, "\tDDDD  device" below it.
func idName(list string, vendor, device uint16) string {
	head := fmt.Sprintf("\n%04x  ", vendor)
	at := strings.Index(list, head)
	if at < 0 {
		return ""
	}
	_, block, _ := strings.Cut(list[at+1:], "\n")
	want := fmt.Sprintf("\t%04x  ", device)
	for line := range strings.Lines(block) {
		if line[0] != '\t' && line[0] != '#' {
			return ""
		}
		if name, ok := strings.CutPrefix(line, want); ok {
			return cut(friendly(strings.TrimSpace(name)), maxNVMLText)
		}
	}
	return ""
}

// friendly prefers the product's name in brackets to the chip's before it: "GA102 [GeForce RTX 3090]".
func friendly(name string) string {
	_, rest, ok := strings.Cut(name, "[")
	product, _, closed := strings.Cut(rest, "]")
	if ok && closed && product != "" {
		return product
	}
	return name
}

// knownPCI names the GPUs and accelerators that edge machines and small servers carry most, by vendor << 16 | device.
var knownPCI = map[uint32]string{
	0x10de1b06: "NVIDIA GeForce GTX 1080 Ti",
	0x10de1b80: "NVIDIA GeForce GTX 1080",
	0x10de1b81: "NVIDIA GeForce GTX 1070",
	0x10de1c03: "NVIDIA GeForce GTX 1060 6GB",
	0x10de1c82: "NVIDIA GeForce GTX 1050 Ti",
	0x10de1cb3: "NVIDIA Quadro P400",
	0x10de1db1: "NVIDIA Tesla V100-SXM2-16GB",
	0x10de1db4: "NVIDIA Tesla V100-PCIE-16GB",
	0x10de1db5: "NVIDIA Tesla V100-SXM2-32GB",
	0x10de1db6: "NVIDIA Tesla V100-PCIE-32GB",
	0x10de1e04: "NVIDIA GeForce RTX 2080 Ti",
	0x10de1e81: "NVIDIA GeForce RTX 2080 SUPER",
	0x10de1e84: "NVIDIA GeForce RTX 2070 SUPER",
	0x10de1eb8: "NVIDIA Tesla T4",
	0x10de1f08: "NVIDIA GeForce RTX 2060",
	0x10de20b0: "NVIDIA A100-SXM4-40GB",
	0x10de20b2: "NVIDIA A100-SXM4-80GB",
	0x10de20b5: "NVIDIA A100 80GB PCIe",
	0x10de20b7: "NVIDIA A30",
	0x10de20f1: "NVIDIA A100-PCIE-40GB",
	0x10de2204: "NVIDIA GeForce RTX 3090",
	0x10de2206: "NVIDIA GeForce RTX 3080",
	0x10de2230: "NVIDIA RTX A6000",
	0x10de2231: "NVIDIA RTX A5000",
	0x10de2235: "NVIDIA A40",
	0x10de2236: "NVIDIA A10",
	0x10de2237: "NVIDIA A10G",
	0x10de2330: "NVIDIA H100 80GB HBM3",
	0x10de2331: "NVIDIA H100 PCIe",
	0x10de2335: "NVIDIA H200",
	0x10de2342: "NVIDIA GH200 480GB",
	0x10de2484: "NVIDIA GeForce RTX 3070",
	0x10de2503: "NVIDIA GeForce RTX 3060",
	0x10de25b6: "NVIDIA A2",
	0x10de2684: "NVIDIA GeForce RTX 4090",
	0x10de26b1: "NVIDIA RTX 6000 Ada Generation",
	0x10de26b5: "NVIDIA L40",
	0x10de26b9: "NVIDIA L40S",
	0x10de2704: "NVIDIA GeForce RTX 4080",
	0x10de2782: "NVIDIA GeForce RTX 4070 Ti",
	0x10de2786: "NVIDIA GeForce RTX 4070",
	0x10de27b0: "NVIDIA RTX 4000 SFF Ada Generation",
	0x10de27b8: "NVIDIA L4",
	0x10de2803: "NVIDIA GeForce RTX 4060 Ti",
	0x10de2882: "NVIDIA GeForce RTX 4060",
	0x10de2901: "NVIDIA B200",
	0x10de2b85: "NVIDIA GeForce RTX 5090",
	0x10de2c02: "NVIDIA GeForce RTX 5080",
	0x10de2e12: "NVIDIA GB10",

	0x10021638: "AMD Radeon Graphics (Cezanne)",
	0x10021681: "AMD Radeon 680M",
	0x1002164e: "AMD Radeon Graphics (Raphael)",
	0x100215bf: "AMD Radeon 780M",
	0x100215d8: "AMD Radeon Vega (Picasso)",
	0x1002150e: "AMD Radeon 890M",
	0x10021586: "AMD Radeon 8060S",
	0x1002163f: "AMD Van Gogh",
	0x10026860: "AMD Radeon Instinct MI25",
	0x1002687f: "AMD Radeon RX Vega",
	0x100266a1: "AMD Radeon Instinct MI50",
	0x100267df: "AMD Radeon RX 580",
	0x1002738c: "AMD Instinct MI100",
	0x1002740c: "AMD Instinct MI250X",
	0x1002740f: "AMD Instinct MI210",
	0x100274a0: "AMD Instinct MI300A",
	0x100274a1: "AMD Instinct MI300X",
	0x100274a5: "AMD Instinct MI325X",
	0x100273bf: "AMD Radeon RX 6900 XT",
	0x100273df: "AMD Radeon RX 6700 XT",
	0x1002744c: "AMD Radeon RX 7900 XTX",
	0x1002747e: "AMD Radeon RX 7800 XT",
	0x10027480: "AMD Radeon RX 7600",

	0x80860412: "Intel HD Graphics 4600",
	0x80861912: "Intel HD Graphics 530",
	0x80861916: "Intel HD Graphics 520",
	0x80863e92: "Intel UHD Graphics 630",
	0x80864555: "Intel UHD Graphics (Elkhart Lake)",
	0x80864680: "Intel UHD Graphics 770",
	0x808646a6: "Intel Iris Xe Graphics (Alder Lake)",
	0x808646d1: "Intel UHD Graphics (Alder Lake-N)",
	0x808656a0: "Intel Arc A770",
	0x808656a1: "Intel Arc A750",
	0x808656a5: "Intel Arc A380",
	0x808656c0: "Intel Data Center GPU Flex 170",
	0x808656c1: "Intel Data Center GPU Flex 140",
	0x80865917: "Intel UHD Graphics 620",
	0x80865916: "Intel HD Graphics 620",
	0x80867d55: "Intel Arc Graphics (Meteor Lake)",
	0x808664a0: "Intel Arc Graphics 140V",
	0x80869a49: "Intel Iris Xe Graphics (Tiger Lake)",
	0x8086a7a0: "Intel Iris Xe Graphics (Raptor Lake)",
	0x8086e20b: "Intel Arc B580",

	0x1ac1089a: "Google Coral Edge TPU",
	0x1e602864: "Hailo-8",
	0x80867d1d: "Intel NPU (Meteor Lake)",
	0x8086643e: "Intel NPU (Lunar Lake)",
	0x8086ad1d: "Intel NPU (Arrow Lake)",
	0x8086b03e: "Intel NPU (Panther Lake)",
	0x10221502: "AMD XDNA NPU (Phoenix)",
	0x102217f0: "AMD XDNA NPU (Strix)",
	0x17cba100: "Qualcomm Cloud AI 100",
	0x1da31000: "Habana Goya",
	0x1da31010: "Habana Gaudi",
	0x1da31020: "Habana Gaudi2",
	0x10ee5000: "AMD Alveo U200",
	0x10ee5004: "AMD Alveo U250",
	0x10ee500c: "AMD Alveo U280",
	0x10ee5020: "AMD Alveo U50",
}
