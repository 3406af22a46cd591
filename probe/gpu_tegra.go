package probe

import "strings"

// tegraModules maps the module numbers that NVIDIA prints on boards, as in nvidia,p3767-0003, to the SoC they carry.
var tegraModules = map[string]string{
	"p2180": "tegra210", "p3448": "tegra210", "p2371": "tegra210",
	"p3310": "tegra186", "p3489": "tegra186", "p3636": "tegra186",
	"p2888": "tegra194", "p3668": "tegra194",
	"p3701": "tegra234", "p3767": "tegra234",
	"p3834": "tegra264",
}

// tegraModels are words of a model name, the more particular first, for trees that say nothing better.
var tegraModels = [...][2]string{
	{"thor", "tegra264"}, {"orin", "tegra234"}, {"xavier", "tegra194"}, {"tx2", "tegra186"}, {"tx1", "tegra210"},
	{"jetson nano", "tegra210"},
}

// tegraCapability is the CUDA compute capability of each SoC's GPU.
var tegraCapability = map[string]string{
	"tegra210": "5.3", "tegra186": "6.2", "tegra194": "7.2", "tegra234": "8.7", "tegra264": "11.0",
}

// tegraChips are the GPUs by the names CUDA gives them.
var tegraChips = map[string]string{
	"tegra210": "GM20B", "tegra186": "GP10B", "tegra194": "GV11B", "tegra234": "GA10B", "tegra264": "GB10B",
}

// tegra is the Tegra SoC that the device tree names and that CUDA knows, empty for every other machine.
func tegra(p *Pass) (string, Evidence) {
	for _, dir := range []string{"/proc/device-tree", "/sys/firmware/devicetree/base"} {
		e, err := p.Read(dir + "/compatible")
		if err == nil {
			if soc, word := tegraOf(e.Raw); soc != "" {
				return soc, e.With(word)
			}
		}
		model, err2 := p.Read(dir + "/model")
		lower := strings.ToLower(model.Text())
		if err2 == nil && (strings.Contains(lower, "jetson") || strings.Contains(lower, "nvidia")) {
			for _, m := range tegraModels {
				if strings.Contains(lower, m[0]) {
					return m[1], model.As(Medium)
				}
			}
		}
		if err == nil || err2 == nil {
			break
		}
	}
	return "", Evidence{}
}

// tegraOf reads a compatible list, its entries ended by zero bytes, from the general end.
func tegraOf(compatible string) (soc, word string) {
	entries := strings.Split(strings.TrimRight(compatible, "\x00\n"), "\x00")
	for i := len(entries) - 1; i >= 0; i-- {
		name, ok := strings.CutPrefix(entries[i], "nvidia,")
		if !ok {
			continue
		}
		if tegraCapability[name] != "" {
			return name, entries[i]
		}
		for module := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '-' || r == '+' }) {
			if tegraModules[module] != "" {
				return tegraModules[module], entries[i]
			}
		}
	}
	return "", ""
}
