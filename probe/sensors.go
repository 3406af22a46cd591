package probe

import (
	"maps"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
)

func sensorsSubject() Subject {
	words := []Word{
		{Key: "hardware.sensor", Meaning: "has a sensor of any kind", From: "/sys/class/hwmon, /sys/class/thermal, " +
			"/sys/bus/iio, /sys/bus/w1", Since: "0.1"},
		{Key: "hardware.sensor.bus", Unit: "text", Meaning: "where sensors show themselves: hwmon, thermal, iio, w1",
			From: "as hardware.sensor", Since: "0.1"},
		{Key: "hardware.sensor.chip", Unit: "text", Meaning: "name of a sensor chip", From: "hwmon and iio name, thermal type",
			Since: "0.1", Node: "node_hwmon_chip_names"},
		{Key: "hardware.power.battery", Meaning: "runs on a battery, or can", From: "/sys/class/power_supply/*/type",
			Since: "0.1", Node: "node_power_supply_info"},
		{Key: "hardware.power.mains", Meaning: "has a mains supply that it can watch", From: "/sys/class/power_supply/*/type",
			Since: "0.1"},
		{Key: "hardware.power.ups", Meaning: "has a UPS", From: "/sys/class/power_supply/*/type", Since: "0.1"},
	}
	for _, q := range quantities {
		words = append(words,
			Word{Key: "hardware.sensor." + q.name, Meaning: "measures " + q.meaning, From: "hwmon, thermal zones, IIO, 1-wire",
				Since: "0.1", Node: q.node},
			Word{Key: "hardware.sensor." + q.name + ".count", Unit: "count", Meaning: "channels that measure " + q.meaning,
				From: "hwmon, thermal zones, IIO, 1-wire", Since: "0.1"})
	}
	return Subject{Name: "sensors", Words: words, Uevents: []string{"hwmon", "thermal", "iio", "power_supply", "w1"},
		Probe: probeSensors}
}

// quantity is one thing that sensors measure. A reading outside its range is a broken sensor's and is not passed on.
type quantity struct {
	name, meaning, unit string
	low, high           float64
	hwmon               string  // prefix of hwmon's files
	hwmonScale          float64 // from hwmon's unit to ours
	iio                 string  // channel type of IIO
	iioScale            float64
	node                string // metric of node_exporter
}

var quantities = []quantity{
	{"temperature", "temperature", "celsius", -150, 1500, "temp", 1e-3, "temp", 1e-3, "node_hwmon_temp_celsius"},
	{"fan", "the speed of a fan", "rpm", 0, 1e6, "fan", 1, "", 0, "node_hwmon_fan_rpm"},
	{"voltage", "voltage", "volt", -1e5, 1e5, "in", 1e-3, "voltage", 1e-3, "node_hwmon_in_volts"},
	{"current", "current", "ampere", -1e5, 1e5, "curr", 1e-3, "current", 1e-3, "node_hwmon_curr_amps"},
	{"power", "power", "watt", -1e6, 1e6, "power", 1e-6, "power", 1e-3, "node_hwmon_power_watt"},
	{"energy", "energy", "joule", 0, math.MaxFloat64, "energy", 1e-6, "energy", 1, "node_hwmon_energy_joule_total"},
	{"humidity", "relative humidity", "percent", 0, 110, "humidity", 1e-3, "humidityrelative", 1e-3,
		"node_hwmon_humidity"},
	{"frequency", "a frequency", "hertz", 0, 1e12, "freq", 1, "frequency", 1, "node_hwmon_freq_freq_mhz"},
	{"intrusion", "whether the case was opened", "state", 0, 1, "intrusion", 1, "", 0, "node_hwmon_intrusion_alarm"},
	{"pressure", "air pressure", "kilopascal", 0, 1e5, "", 0, "pressure", 1, ""},
	{"light", "light", "lux", 0, 1e6, "", 0, "illuminance", 1, ""},
	{"proximity", "nearness", "state", -1e9, 1e9, "", 0, "proximity", 1, ""},
	{"acceleration", "acceleration", "metre_per_second2", -1e5, 1e5, "", 0, "accel", 1, ""},
	{"rotation", "the speed of turning", "radian_per_second", -1e5, 1e5, "", 0, "anglvel", 1, ""},
	{"magnetic", "a magnetic field", "gauss", -1e6, 1e6, "", 0, "magn", 1, ""},
	{"gas", "the concentration of a gas or dust", "percent", 0, 1e9, "", 0, "concentration", 1, ""},
	{"distance", "distance", "metre", 0, 1e6, "", 0, "distance", 1, ""},
	{"resistance", "resistance", "ohm", 0, 1e12, "", 0, "resistance", 1, ""},
	{"ph", "acidity", "ph", 0, 14, "", 0, "ph", 1, ""},
	{"conductivity", "conductivity", "siemens_per_metre", 0, 1e6, "", 0, "electricalconductivity", 1, ""},
}

// sensors collects what the sources find before it is told.
type sensors struct {
	p      *Pass
	counts map[string]*tally
	buses  map[string]Evidence
	chips  map[string]Evidence
	names  map[string]int // of gauges, to tell chips of one name apart
}

func probeSensors(p *Pass) error {
	s := &sensors{p, map[string]*tally{}, map[string]Evidence{}, map[string]Evidence{}, map[string]int{}}
	s.hwmon()
	s.thermal()
	s.iio()
	s.wire()
	s.supplies()
	for _, name := range slices.Sorted(maps.Keys(s.counts)) {
		t := s.counts[name]
		p.Tag("hardware.sensor", t.evidence)
		p.Tag("hardware.sensor."+name, t.evidence)
		p.Count("hardware.sensor."+name+".count", int64(t.n), t.evidence)
	}
	for bus, e := range s.buses {
		p.Value("hardware.sensor.bus", bus, e)
	}
	for chip, e := range s.chips {
		p.Value("hardware.sensor.chip", chip, e)
	}
	return nil
}

// channel is one value of one chip: counted, and offered to be read again.
func (s *sensors) channel(bus, chip, label string, q quantity, file string, parse func(string) (float64, bool)) {
	s.count(bus, chip, q, Evidence{Path: file, Raw: chip})
	name := keyword(chip) + "/" + keyword(label)
	if s.names[q.name+name]++; s.names[q.name+name] > 1 {
		name += "-" + strconv.Itoa(s.names[q.name+name])
	}
	s.p.Gauge(Gauge{Kind: q.name, Name: name, Unit: q.unit, Path: file, Parse: q.within(parse)})
}

func (s *sensors) count(bus, chip string, q quantity, e Evidence) {
	t := s.counts[q.name]
	if t == nil {
		t = &tally{evidence: e}
		s.counts[q.name] = t
	}
	t.n++
	s.buses[bus], s.chips[chip] = e, e
}

// within refuses what cannot be: minus 273 degrees, more humidity than air can hold.
func (q quantity) within(parse func(string) (float64, bool)) func(string) (float64, bool) {
	return func(text string) (float64, bool) {
		v, ok := parse(text)
		return v, ok && v >= q.low && v <= q.high
	}
}

// hwmon reads the names of monitoring chips and of their channels, not their values: some take long to ask.
func (s *sensors) hwmon() {
	chips, err := s.p.List("/sys/class/hwmon")
	s.p.Doubt("hardware.sensor", err)
	for _, name := range byNumberAfter(chips, "hwmon") {
		dir := "/sys/class/hwmon/" + name
		files, err := s.p.List(dir)
		s.p.Doubt("hardware.sensor", err)
		if !hasInput(files) { // older kernels keep the values with the device
			if more := s.p.Names(dir + "/device"); hasInput(more) {
				dir, files = dir+"/device", more
			}
		}
		chip := s.p.Text(dir + "/name")
		if chip == "" {
			if chip = s.p.Text("/sys/class/hwmon/" + name + "/name"); chip == "" {
				chip = name
			}
		}
		for _, file := range files {
			if q, channel, ok := hwmonChannel(file); ok {
				label := s.p.Text(dir + "/" + channel + "_label")
				if label == "" {
					label = channel
				}
				s.channel("hwmon", chip, label, q, dir+"/"+file, Scaled(q.hwmonScale))
			}
		}
	}
}

func hasInput(files []string) bool {
	for _, f := range files {
		if _, _, ok := hwmonChannel(f); ok {
			return true
		}
	}
	return false
}

// hwmonChannel takes temp1_input apart. A power sensor may offer its average only, and intrusion is an alarm.
func hwmonChannel(file string) (q quantity, channel string, ok bool) {
	channel, what, ok := strings.Cut(file, "_")
	if !ok {
		return q, "", false
	}
	kind := strings.TrimRight(channel, "0123456789")
	if kind == channel || what != "input" && !(kind == "power" && what == "average") &&
		!(kind == "intrusion" && what == "alarm") {
		return q, "", false
	}
	for _, q := range quantities {
		if q.hwmon == kind {
			return q, channel, true
		}
	}
	return q, "", false
}

func (s *sensors) thermal() {
	zones, err := s.p.List("/sys/class/thermal")
	s.p.Doubt("hardware.sensor.temperature", err)
	for _, name := range byNumberAfter(zones, "thermal_zone") {
		dir := "/sys/class/thermal/" + name
		if !s.p.Exists(dir + "/temp") {
			continue
		}
		kind := s.p.Text(dir + "/type")
		if kind == "" {
			kind = name
		}
		s.channel("thermal", kind, name, quantities[0], dir+"/temp", Scaled(1e-3))
	}
}

// iio reads channels whose value is (raw + offset) * scale, or finished where there is an input file.
func (s *sensors) iio() {
	devices, err := s.p.List("/sys/bus/iio/devices")
	s.p.Doubt("hardware.sensor", err)
	for _, name := range byNumberAfter(devices, "iio:device") {
		dir := "/sys/bus/iio/devices/" + name
		files := s.p.Names(dir)
		chip := s.p.Text(dir + "/name")
		if chip == "" {
			chip = name
		}
		for _, file := range files {
			q, channel, raw, ok := iioChannel(file)
			if !ok {
				continue
			}
			parse := Scaled(q.iioScale)
			if raw {
				parse = s.iioRaw(dir, channel, q)
			}
			s.channel("iio", chip, channel, q, dir+"/"+file, parse)
		}
	}
}

// iioChannel takes in_temp_raw, in_accel_x_raw, in_voltage3_input apart.
func iioChannel(file string) (q quantity, channel string, raw, ok bool) {
	rest, ok := strings.CutPrefix(file, "in_")
	if !ok {
		return q, "", false, false
	}
	at := strings.LastIndexByte(rest, '_')
	if at < 0 {
		return q, "", false, false
	}
	channel, what := rest[:at], rest[at+1:]
	if what != "raw" && what != "input" {
		return q, "", false, false
	}
	kind, _, _ := strings.Cut(channel, "_")
	kind, _, _ = strings.Cut(kind, "-") // in_voltage0-voltage1_raw is a difference
	kind = strings.TrimRight(kind, "0123456789")
	for _, q := range quantities {
		if q.iio == kind {
			return q, channel, what == "raw", true
		}
	}
	return q, "", false, false
}

// iioRaw finds the offset and scale of a channel: its own, or that of all its kind.
func (s *sensors) iioRaw(dir, channel string, q quantity) func(string) (float64, bool) {
	find := func(what string, otherwise float64) float64 {
		kind := strings.TrimRight(channel, "0123456789")
		short, _, _ := strings.Cut(channel, "_")
		for _, name := range []string{channel, kind, short, q.iio} {
			if v, err := strconv.ParseFloat(s.p.Text(dir+"/in_"+name+"_"+what), 64); err == nil {
				return v
			}
		}
		return otherwise
	}
	scale, offset := find("scale", 1)*q.iioScale, find("offset", 0)
	return func(text string) (float64, bool) {
		v, err := strconv.ParseFloat(text, 64)
		return (v + offset) * scale, err == nil
	}
}

// wire tells that there are thermometers on a 1-wire bus; wireSubject reads them.
func (s *sensors) wire() {
	for _, name := range thermometers(s.p) {
		s.count("w1", "ds18x20", quantities[0], Evidence{Path: wireDevices + "/" + name, Raw: name})
	}
}

func (s *sensors) supplies() {
	names, err := s.p.List("/sys/class/power_supply")
	s.p.Doubt("hardware.power", err)
	for _, name := range names {
		dir := "/sys/class/power_supply/" + name
		kind, err := s.p.Read(dir + "/type")
		if err != nil {
			continue
		}
		switch strings.ToLower(kind.Text()) {
		case "battery":
			// A mouse's battery is not the machine's.
			if s.p.Text(dir+"/scope") != "Device" {
				s.p.Tag("hardware.power.battery", kind)
				if s.p.Exists(dir + "/capacity") {
					s.p.Gauge(Gauge{Kind: "battery", Name: path.Base(dir), Unit: "percent", Path: dir + "/capacity",
						Parse: quantity{low: 0, high: 100}.within(Scaled(1))})
				}
			}
		case "mains":
			s.p.Tag("hardware.power.mains", kind)
		case "ups":
			s.p.Tag("hardware.power.ups", kind)
		}
	}
}

// byNumberAfter keeps the names that are the prefix and a number, in the order of the numbers.
func byNumberAfter(names []string, prefix string) []string {
	var numbers []string
	for _, name := range names {
		if n, ok := strings.CutPrefix(name, prefix); ok {
			numbers = append(numbers, n)
		}
	}
	numbers = byNumber(numbers)
	for i := range numbers {
		numbers[i] = prefix + numbers[i]
	}
	return numbers
}
