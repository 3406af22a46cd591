package probe

import (
	"regexp"
	"strings"
)

// socRule finds the name of a system on chip in what kernels, device trees and Android write of one.
type socRule struct {
	vendor string
	dt     string         // vendor prefix in a device tree
	id     *regexp.Regexp // the whole name behind that prefix, its first group being the part that names the chip
	text   *regexp.Regexp // anywhere in free text, in lower case
}

func rule(vendor, dt, id, text string) socRule {
	r := socRule{vendor: vendor, dt: dt, id: regexp.MustCompile("^(?:" + id + ")$")}
	if text != "" {
		r.text = regexp.MustCompile(text)
	}
	return r
}

// socRules are by vendor; where a vendor has two forms of name, by form. The order matters for free text only.
var socRules = []socRule{
	rule("allwinner", "allwinner", `sun\d+iw?-([a-z]\w+)|([a-z]{1,2}\d{1,4}[a-z]*)|(sun\d+iw\d+)p?\d*`,
		`(?:allwinner [^(]*\(([a-z]\d+)\)|\b(sun\d+iw\d+))`),
	rule("allwinner", "arm", `(sun\d+iw\d+)p?\d*`, ""),
	rule("amlogic", "amlogic", `([ast]\d+\w*|meson-?(?:\w+))`, `\b(meson\d+\w*)\b`),
	rule("apple", "apple", `(t\d{4}|s\d{4})`, ""),
	rule("broadcom", "brcm", `(bcm\d{4,5}\w*)`, `\b(bcm\d{4,5}\w*)`),
	rule("cvitek", "cvitek", `(cv\d+\w*)`, ""),
	rule("eswin", "eswin", `(eic\d+\w*)`, `\b(eic\d{4}\w*)`),
	rule("hisilicon", "hisilicon", `(hi\d{4}\w*|kirin\d+)`, `\b(kirin ?\d{3,4}|hi\d{4}\w*)`),
	rule("intel", "altr", `(socfpga-\w+)`, ""),
	rule("loongson", "loongson", `((?:ls)?\d[ak]\d{4}\w*)`, ""),
	rule("marvell", "marvell", `(armada-?\d+|kirkwood-?\w*|pxa\d+|cn\d+\w*)`, `\b(pxa\d{3}|armada \d{3})`),
	rule("mediatek", "mediatek", `(mt\d{4}\w*)`, `\b(mt\d{4}\w*)`),
	rule("nvidia", "nvidia", `(tegra\d{2,3}x?)`, `\b(tegra\d{2,3})\b`),
	rule("nxp", "fsl", `(imx\d+\w*|ls\d{4}a?|lx\d{4}a?|vf\d+)`, `\bi\.mx ?(\d+\w*)`),
	rule("nxp", "nxp", `(s32\w+|imx\d+\w*|lpc\d+)`, ""),
	rule("phytium", "phytium", `(\w+)`, ""),
	rule("unisoc", "sprd", `(\w*\d{4}\w*)`, `\b(ums\d{3,4}|sc(?:77|88|98)\d\d\w*)`),
	rule("qualcomm", "qcom", `((?:msm|apq|sdm|sda|sm|sc|sa|qcs|qcm|qrb|ipq|qdu|x1e|x1p|sdx|mdm|kona|lahaina)\w*)`,
		`\b((?:msm|apq|sdm|sda|sm|qcs|qcm|qrb|ipq) ?\d{3,4}\w*)`),
	rule("realtek", "realtek", `(rtd\d+\w*)`, ""),
	rule("renesas", "renesas", `(r[789]a\d+\w*)`, ""),
	rule("rockchip", "rockchip", `((?:rk|rv|px)\d{3,4}\w*)`, `\b(rk\d{4}\w*)`),
	rule("samsung", "samsung", `(exynos\w*\d+\w*)`, `\b(?:(exynos ?(?:auto ?v?\d{1,2}|\d{4}))|smdk(\d{4})|universal(\d{4}))\b`),
	rule("sifive", "sifive", `(fu\d+(?:-c\d+)?)(?:-?\w*)`, ""),
	rule("socionext", "socionext", `(\w+)`, ""),
	rule("sophgo", "sophgo", `((?:sg|cv|bm)\d+\w*)`, `\b(bm\d{4}\w*)`),
	rule("spacemit", "spacemit", `(k\d\w*)`, ""),
	rule("st", "st", `(stm32mp\d+\w*|stih\d+\w*)`, ""),
	rule("starfive", "starfive", `(jh\d{4})`, `\b(jh\d{4})`),
	rule("thead", "thead", `(th\d+|light\w*)`, ""),
	rule("ti", "ti", `((?:am|omap|dra|dm|j7|j2|tda)\w*\d+\w*|k3-\w+)`, `\b(omap\w*\d+\w*|am\d{2}xx|am\d{4}|dm\d{4})`),
	rule("xilinx", "xlnx", `(zynqmp|zynq-\d+|zynq|versal)(?:-\w+)*`, ""),
	rule("cix", "cix", `(sky\d+|p\d|cd8\d+)`, ""),
}

// allwinnerNames are the chips behind the vendor kernel's internal numbers.
var allwinnerNames = map[string]string{
	"sun8iw1": "a31", "sun8iw3": "a23", "sun8iw5": "a33", "sun8iw6": "a83t", "sun8iw7": "h3", "sun8iw8": "v3s",
	"sun8iw11": "r40", "sun8iw15": "a50", "sun8iw20": "t113", "sun9iw1": "a80", "sun20iw1": "d1", "sun50iw1": "a64",
	"sun50iw2": "h5", "sun50iw3": "a63", "sun50iw6": "h6", "sun50iw9": "h616", "sun50iw10": "a133", "sun55iw3": "a527",
	"sun60iw2": "a733",
}

// soldAs is what people call a chip that the kernel knows by a number or by the name of its family.
var soldAs = map[string]string{
	"tegra124": "Tegra K1", "tegra186": "Tegra X2", "tegra194": "Tegra Xavier", "tegra210": "Tegra X1",
	"tegra234": "Tegra Orin", "tegra264": "Tegra Thor",
	"msm8226": "Snapdragon 400 (MSM8226, MSM8926)", "msm8916": "Snapdragon 410", "msm8939": "Snapdragon 615",
	"msm8953": "Snapdragon 625", "msm8974": "Snapdragon 800", "msm8992": "Snapdragon 808", "msm8994": "Snapdragon 810",
	"msm8996": "Snapdragon 820", "msm8998": "Snapdragon 835", "sdm450": "Snapdragon 450", "sdm660": "Snapdragon 660",
	"sdm845": "Snapdragon 845", "sm8150": "Snapdragon 855", "sm8250": "Snapdragon 865", "kona": "Snapdragon 865 (QRB5165)",
	"sm8350": "Snapdragon 888", "lahaina": "Snapdragon 888", "sm8450": "Snapdragon 8 Gen 1",
	"sm8550": "Snapdragon 8 Gen 2", "sm8650": "Snapdragon 8 Gen 3", "sm8750": "Snapdragon 8 Elite",
	"sc7180": "Snapdragon 7c", "sc7280": "Snapdragon 7c Gen 3", "sc8180x": "Snapdragon 8cx",
	"sc8280xp": "Snapdragon 8cx Gen 3", "x1e80100": "Snapdragon X Elite", "x1e001de": "Snapdragon X Elite",
	"x1p42100":  "Snapdragon X Plus",
	"hi6210sft": "Kirin 620", "hi6220": "Kirin 620", "hi6250": "Kirin 650", "hi3650": "Kirin 950", "hi3660": "Kirin 960",
	"hi3670": "Kirin 970", "hi3680": "Kirin 980",
	"meson8": "S802", "meson8b": "S805", "meson8m2": "S812", "s4": "S805X2 (S905Y4, S905W2)", "t7": "A311D2",
	"a4": "A113L2", "bcm2835": "BCM2708", "bcm2836": "BCM2709", "bcm2837": "BCM2710", "omap36xx": "DM3730",
	"exynos5800": "Exynos 5422 (5800)", "bm1684x": "SG2300x", "imx8mm": "i.MX8M Mini", "imx8mn": "i.MX8M Nano",
	"imx8mp": "i.MX8M Plus", "imx8mq": "i.MX8M Quad", "armada380": "Armada 380 (385, 388)",
	"h616": "H616 (H313, H618)", "a64": "A64 (H64)", "r40": "R40 (V40, A40i)",
}

// raspberryCores are the chips of a Raspberry Pi, whose own kernel writes BCM2835 (or 2708, 2709) on all of them.
var raspberryCores = map[string]string{
	"arm1176": "bcm2835", "cortex-a7": "bcm2836", "cortex-a53": "bcm2837", "cortex-a72": "bcm2711",
	"cortex-a76": "bcm2712",
}

// chip is a system on chip by vendor and name.
type chip struct{ vendor, name string }

// chipOfCompatible finds the chip among a device tree's compatible strings. They go from the board to the chip, so the
// first that is a chip of the vendor it names is the most exact.
func chipOfCompatible(compatible []string) (chip, string) {
	for _, c := range compatible {
		prefix, id, ok := strings.Cut(strings.ToLower(strings.ReplaceAll(c, " ", "")), ",")
		if !ok {
			continue
		}
		for _, r := range socRules {
			if r.dt == prefix {
				if m := r.id.FindStringSubmatch(id); m != nil {
					return chip{r.vendor, chipName(r.vendor, firstGroup(m))}, c
				}
			}
		}
	}
	return chip{}, ""
}

// chipOfText finds the chip in free text, such as the Hardware line of /proc/cpuinfo.
func chipOfText(text string) (chip, string) {
	lower := strings.ToLower(text)
	for _, r := range socRules {
		if r.text == nil {
			continue
		}
		if m := r.text.FindStringSubmatch(lower); m != nil {
			return chip{r.vendor, chipName(r.vendor, firstGroup(m))}, m[0]
		}
	}
	return chip{}, ""
}

func firstGroup(m []string) string {
	for _, g := range m[1:] {
		if g != "" {
			return g
		}
	}
	return m[0]
}

func chipName(vendor, name string) string {
	name = strings.ReplaceAll(name, " ", "")
	switch vendor {
	case "allwinner":
		if known, ok := allwinnerNames[name]; ok {
			return known
		}
	case "samsung":
		if name[0] >= '0' && name[0] <= '9' {
			return "exynos" + name
		}
	case "nxp":
		if name[0] >= '0' && name[0] <= '9' {
			return "imx" + name
		}
	case "amlogic":
		return strings.ReplaceAll(name, "meson-", "meson")
	}
	return name
}
