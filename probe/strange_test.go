package probe

import (
	"hash/fnv"
	"io/fs"
	"strings"
	"syscall"
	"testing"
)

// strange is a machine whose files say odd things; what it does with a read is a function of the file's name.
type strange struct {
	Tree
	read func(name string, data []byte, err error) ([]byte, error)
	list func(names []string) []string
}

func (s strange) Read(name string, limit int) ([]byte, error) {
	data, err := s.Tree.Read(name, limit)
	data, err = s.read(name, data, err)
	return data[:min(len(data), limit)], err
}

func (s strange) List(name string) ([]string, error) {
	names, err := s.Tree.List(name)
	if s.list != nil {
		names = s.list(names)
	}
	return names, err
}

// wholeMachine is one with something for every subject that looks at devices.
func wholeMachine() machine {
	m := plant().with(greenhouse()).with(pair()).
		with(socDevice("17000000.gpu", "gk20a", "/sys/class/devfreq/17000000.gpu")).
		with(blockDevice("nvme0n1", "pci0000:00/0000:05:00.0/nvme/nvme0", machine{"size": "1000\n", "device/model": "x\n"})).
		with(blockDevice("mmcblk0", "platform/mmc", machine{"size": "1000\n"})).
		with(videoNode("video0", "unicam-image", "platform/soc/fe801000.csi", "unicam")).
		with(usbPlugged("1-1", "1a6e", "089a")).
		with(machine{"/proc/device-tree/compatible": "nvidia,p3737-0000+p3701-0005\x00nvidia,tegra234\x00",
			"/proc/meminfo":                                 "MemTotal: 64349184 kB\nMemAvailable: 64349184 kB\nSwapTotal: 0 kB\n",
			"/proc/cpuinfo":                                 "processor\t: 0\nmodel name\t: x\nflags\t\t: fpu sse2\n",
			kfdNodes + "/1/properties":                      "simd_count 480\nsimd_per_cu 4\nvendor_id 4098\nlocation_id 768\n",
			"/sys/devices/system/cpu/online":                "0\n",
			"/sys/devices/system/cpu/cpu0/topology/core_id": "0\n",
			"/sys/class/tty/ttyS0/type":                     "4\n",
			"/sys/class/gpio/gpiochip0/ngpio":               "54\n"})
	return m
}

func TestNoSubjectFallsOverStrangeFiles(t *testing.T) {
	sum := func(name string) uint32 {
		h := fnv.New32a()
		h.Write([]byte(name))
		return h.Sum32()
	}
	saying := func(text string) func(string, []byte, error) ([]byte, error) {
		return func(_ string, data []byte, err error) ([]byte, error) {
			if err != nil {
				return nil, err
			}
			return []byte(text), nil
		}
	}
	failing := func(every uint32, with error) func(string, []byte, error) ([]byte, error) {
		return func(name string, data []byte, err error) ([]byte, error) {
			if sum(name)%every == 0 {
				return nil, &fs.PathError{Op: "read", Path: name, Err: with}
			}
			return data, err
		}
	}
	tests := map[string]strange{
		"empty":               {read: saying("")},
		"zero bytes":          {read: saying(strings.Repeat("\x00", 300))},
		"no text":             {read: saying("\xff\xfe\x80\x1b[2J\n\n\r\t=::=:\x00")},
		"minus one":           {read: saying("-1\n")},
		"a very large number": {read: saying("99999999999999999999999999\n")},
		"the largest number":  {read: saying("9223372036854775807\n")},
		"separators":          {read: saying("===:::,,,---///\n=\n:\n,\n-\n \n")},
		"one long line":       {read: saying(strings.Repeat("a", 1<<20))},
		"many lines":          {read: saying(strings.Repeat("a: b\n", 1<<16))},
		"names that are only dashes": {read: saying("ok\n"), list: func(names []string) []string {
			return append(append([]string{}, names...), "-", "--", "hwmon-", "card", "nvme", "0", "ä", strings.Repeat("x", 300))
		}},
		"every second file broken": {read: failing(2, syscall.EIO)},
		"every third file gone":    {read: failing(3, fs.ErrNotExist)},
		"no permission at all":     {read: failing(1, syscall.EACCES)},
		"cut in half": {read: func(_ string, data []byte, err error) ([]byte, error) {
			return data[:len(data)/2], err
		}},
		"files vanish after the first look": {read: func(name string, data []byte, err error) ([]byte, error) {
			if strings.HasSuffix(name, "uevent") || strings.HasSuffix(name, "name") {
				return data, err
			}
			return nil, &fs.PathError{Op: "read", Path: name, Err: syscall.ENODEV}
		}},
	}
	for name, odd := range tests {
		t.Run(name, func(t *testing.T) {
			odd.Tree = wholeMachine().tree()
			r, err := Run(t.Context(), Options{Tree: odd, Virtual: true, Timeout: patience,
				Subjects: patient(append(Subjects(), steady())...)})
			if err != nil {
				t.Fatal(err)
			}
			for _, report := range r.Reports {
				if strings.Contains(report.Reason, "panic") || strings.Contains(report.Reason, "vocabulary") {
					t.Errorf("%s: %s", report.Subject, report.Reason)
				}
			}
			if last := r.Reports[len(r.Reports)-1]; last.Status != Present {
				t.Errorf("a steady subject was disturbed: %v", last)
			}
			if _, err := r.Set(); err != nil {
				t.Errorf("the tags do not fit a set: %v", err)
			}
			for _, g := range r.Gauges {
				if g.Path != "" && g.Parse == nil {
					t.Errorf("gauge %s %s has a file and no way to read it", g.Kind, g.Name)
				}
			}
		})
	}
}
