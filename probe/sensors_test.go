package probe

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// readings gives every gauge with its value now, one a line.
func readings(t *testing.T, m machine) string {
	t.Helper()
	tree := m.tree()
	r, err := Run(t.Context(), Options{Timeout: patience, Tree: tree, Subjects: []Subject{sensorsSubject()}})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, g := range r.Gauges {
		text, err := tree.Read(g.Path, 4096)
		value, ok := g.Parse(strings.TrimSpace(string(text)))
		said := fmt.Sprintf("%.6g", value)
		if !ok || err != nil {
			said = "could-not-tell"
		}
		all = append(all, g.Kind+" "+g.Name+" "+said+" "+g.Unit)
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

func greenhouse() machine {
	return machine{
		"/sys/class/hwmon/hwmon0/name":               "coretemp\n",
		"/sys/class/hwmon/hwmon0/temp1_input":        "45000\n",
		"/sys/class/hwmon/hwmon0/temp1_label":        "Package id 0\n",
		"/sys/class/hwmon/hwmon0/temp1_max":          "100000\n",
		"/sys/class/hwmon/hwmon0/temp2_input":        "-273200\n",
		"/sys/class/hwmon/hwmon1/name":               "ina3221\n",
		"/sys/class/hwmon/hwmon1/in1_input":          "19280\n",
		"/sys/class/hwmon/hwmon1/in1_label":          "VDD_IN\n",
		"/sys/class/hwmon/hwmon1/curr1_input":        "412\n",
		"/sys/class/hwmon/hwmon1/power1_average":     "7940000\n",
		"/sys/class/hwmon/hwmon1/energy1_input":      "1500000\n",
		"/sys/class/hwmon/hwmon1/humidity1_input":    "45600\n",
		"/sys/class/hwmon/hwmon1/fan1_input":         "!EAGAIN",
		"/sys/class/hwmon/hwmon1/intrusion0_alarm":   "0\n",
		"/sys/class/hwmon/hwmon2/device/name":        "it87\n",
		"/sys/class/hwmon/hwmon2/device/temp1_input": "31000\n",
		"/sys/class/hwmon/hwmon10/name":              "coretemp\n",
		"/sys/class/hwmon/hwmon10/temp1_input":       "46000\n",
		"/sys/class/hwmon/hwmon10/temp1_label":       "Package id 0\n",
		"/sys/class/thermal/thermal_zone0/type":      "cpu-thermal\n",
		"/sys/class/thermal/thermal_zone0/temp":      "51234\n",
		"/sys/class/thermal/cooling_device0/type":    "Fan\n",

		"/sys/bus/iio/devices/iio:device0/name":                         "bme280\n",
		"/sys/bus/iio/devices/iio:device0/in_temp_input":                "21480\n",
		"/sys/bus/iio/devices/iio:device0/in_pressure_input":            "98.71\n",
		"/sys/bus/iio/devices/iio:device0/in_humidityrelative_input":    "40125\n",
		"/sys/bus/iio/devices/iio:device0/in_temp_oversampling_ratio":   "2\n",
		"/sys/bus/iio/devices/iio:device1/name":                         "ads1015\n",
		"/sys/bus/iio/devices/iio:device1/in_voltage0_raw":              "1000\n",
		"/sys/bus/iio/devices/iio:device1/in_voltage0_scale":            "2.000000\n",
		"/sys/bus/iio/devices/iio:device1/in_voltage1-voltage3_raw":     "-10\n",
		"/sys/bus/iio/devices/iio:device1/in_voltage_scale":             "3\n",
		"/sys/bus/iio/devices/iio:device1/in_accel_x_raw":               "100\n",
		"/sys/bus/iio/devices/iio:device1/in_accel_scale":               "0.019163\n",
		"/sys/bus/iio/devices/iio:device1/in_temp_raw":                  "400\n",
		"/sys/bus/iio/devices/iio:device1/in_temp_offset":               "-200\n",
		"/sys/bus/iio/devices/iio:device1/in_temp_scale":                "125\n",
		"/sys/bus/iio/devices/iio:device1/sampling_frequency_available": "1\n",

		"/sys/bus/w1/devices/28-00000a1b2c3d/temperature": "22187\n",
		"/sys/bus/w1/devices/w1_bus_master1/":             "",

		"/sys/class/power_supply/AC/type":         "Mains\n",
		"/sys/class/power_supply/BAT0/type":       "Battery\n",
		"/sys/class/power_supply/BAT0/capacity":   "87\n",
		"/sys/class/power_supply/hidpp/type":      "Battery\n",
		"/sys/class/power_supply/hidpp/scope":     "Device\n",
		"/sys/class/power_supply/ups/type":        "UPS\n",
		"/sys/class/power_supply/ucsi-source/":    "",
		"/sys/class/power_supply/usb/type":        "USB\n",
		"/sys/class/power_supply/BAT0/energy_now": "1\n",
	}
}

func TestSensorsOfEveryBus(t *testing.T) {
	wantTags(t, sensorsSubject(), greenhouse(), `
		hardware.sensor
		hardware.sensor.temperature hardware.sensor.temperature.count=8
		hardware.sensor.voltage hardware.sensor.voltage.count=3
		hardware.sensor.current hardware.sensor.current.count=1
		hardware.sensor.power hardware.sensor.power.count=1
		hardware.sensor.energy hardware.sensor.energy.count=1
		hardware.sensor.humidity hardware.sensor.humidity.count=2
		hardware.sensor.fan hardware.sensor.fan.count=1
		hardware.sensor.intrusion hardware.sensor.intrusion.count=1
		hardware.sensor.pressure hardware.sensor.pressure.count=1
		hardware.sensor.acceleration hardware.sensor.acceleration.count=1
		hardware.sensor.bus=hwmon hardware.sensor.bus=thermal hardware.sensor.bus=iio hardware.sensor.bus=w1
		hardware.sensor.chip=coretemp hardware.sensor.chip=ina3221 hardware.sensor.chip=it87
		hardware.sensor.chip=cpu-thermal hardware.sensor.chip=bme280 hardware.sensor.chip=ads1015
		hardware.sensor.chip=ds18x20
		hardware.power.battery hardware.power.mains hardware.power.ups`)
}

func TestReadingsCarryTheirUnitAndRefuseWhatCannotBe(t *testing.T) {
	want := `acceleration ads1015/accel_x 1.9163 metre_per_second2
battery BAT0 87 percent
current ina3221/curr1 0.412 ampere
energy ina3221/energy1 1.5 joule
fan ina3221/fan1 could-not-tell rpm
humidity bme280/humidityrelative 40.125 percent
humidity ina3221/humidity1 45.6 percent
intrusion ina3221/intrusion0 0 state
power ina3221/power1 7.94 watt
pressure bme280/pressure 98.71 kilopascal
temperature ads1015/temp 25 celsius
temperature bme280/temp 21.48 celsius
temperature coretemp/package-id-0 45 celsius
temperature coretemp/package-id-0-2 46 celsius
temperature coretemp/temp2 could-not-tell celsius
temperature cpu-thermal/thermal_zone0 51.234 celsius
temperature it87/temp1 31 celsius
voltage ads1015/voltage0 2 volt
voltage ads1015/voltage1-voltage3 -0.03 volt
voltage ina3221/vdd_in 19.28 volt`
	if got := readings(t, greenhouse()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func FuzzReadingsStayInRange(f *testing.F) {
	f.Add("45000")
	f.Add("-273200")
	f.Add("NaN")
	f.Add("1e999")
	f.Fuzz(func(t *testing.T, text string) {
		q := quantities[0]
		if v, ok := q.within(Scaled(q.hwmonScale))(text); ok && (v < q.low || v > q.high || math.IsNaN(v)) {
			t.Errorf("%q became %v", text, v)
		}
	})
}
