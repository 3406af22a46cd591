package probe

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// kfdNode is a GPU, or one partition of it, as ROCm's kernel driver shows it.
type kfdNode struct {
	address  string // PCI address of the GPU; partitions are its further functions
	units    uint32
	memory   uint64 // bytes, 0 where the node does not say
	gfx      string // gfx90a
	apu      bool   // the node is processor and GPU in one
	vendor   uint16
	device   uint16
	evidence Evidence
}

const kfdNodes = "/sys/class/kfd/kfd/topology/nodes"

// kfdTopology lists the nodes that can compute, by their number.
func kfdTopology(p *Pass) []kfdNode {
	dir := kfdNodes
	if !p.IsDir(dir) {
		dir = "/sys/devices/virtual/kfd/kfd/topology/nodes"
	}
	var nodes []kfdNode
	for _, name := range byNumber(p.Names(dir)) {
		e, err := p.Read(dir + "/" + name + "/properties")
		if err != nil {
			continue
		}
		if n, ok := parseKFD(e.Raw); ok {
			n.evidence = e
			if n.memory == 0 {
				n.memory = kfdBanks(p, dir+"/"+name)
			}
			nodes = append(nodes, n)
		}
	}
	return nodes
}

func parseKFD(properties string) (kfdNode, bool) {
	v := map[string]uint64{}
	for line := range strings.Lines(properties) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.ParseUint(value, 10, 64); err == nil {
			v[key] = n
		}
	}
	if v["simd_count"] == 0 || v["vendor_id"] == 0 {
		return kfdNode{}, false
	}
	n := kfdNode{memory: v["local_mem_size"], apu: v["cpu_cores_count"] > 0, vendor: uint16(v["vendor_id"]),
		device: uint16(v["device_id"])}
	if per := v["simd_per_cu"]; per > 0 {
		n.units = uint32(v["simd_count"] / per)
	}
	at := v["location_id"]
	n.address = fmt.Sprintf("%04x:%02x:%02x.0", v["domain"], at>>8&0xff, at>>3&0x1f)
	if t := v["gfx_target_version"]; t > 0 {
		n.gfx = fmt.Sprintf("gfx%d%x%x", t/10000, t/100%100, t%100)
	}
	return n, true
}

// kfdBanks adds up the memory that the GPU calls its own: heaps 1 and 2 are its frame buffer.
func kfdBanks(p *Pass, node string) (bytes uint64) {
	for _, bank := range p.Names(node + "/mem_banks") {
		e, _ := p.Read(node + "/mem_banks/" + bank + "/properties")
		var heap, size uint64
		for line := range strings.Lines(e.Raw) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			n, _ := strconv.ParseUint(value, 10, 64)
			switch key {
			case "heap_type":
				heap = n
			case "size_in_bytes":
				size = n
			}
		}
		if heap == 1 || heap == 2 {
			bytes += size
		}
	}
	return bytes
}

// kfdGPUs are the GPUs of a tree that shows them nowhere else.
func kfdGPUs(p *Pass) []gpu {
	var gpus []gpu
	seen := map[string]bool{}
	for _, n := range kfdTopology(p) {
		if n.vendor == 0x1002 && !seen[n.address] {
			seen[n.address] = true
			gpus = append(gpus, gpu{address: n.address, dir: pciRoot + "/" + n.address, vendor: "amd", driver: "amdgpu",
				pci:        pciDevice{address: n.address, vendor: n.vendor, device: n.device},
				integrated: n.apu || amdAPU(n.device), evidence: n.evidence})
		}
	}
	return gpus
}

// byNumber keeps the names that are numbers, in their order.
func byNumber(names []string) []string {
	kept := slices.DeleteFunc(slices.Clone(names), func(s string) bool { return !numbered(s, "") })
	slices.SortFunc(kept, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	return kept
}
