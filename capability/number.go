package capability

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Number is an exact decimal: a 64-bit whole part and up to nine places behind the point.
type Number struct {
	whole int64
	nanos int32 // of the same sign as whole
}

// maxPlaces is how many digits a number may have behind its point.
const maxPlaces = 9

// Whole is the number n.
func Whole(n int64) Number { return Number{whole: n} }

// ParseNumber reads digits with an optional minus before and an optional fraction behind: neither exponents nor
// infinities are numbers here.
func ParseNumber(text string) (Number, error) {
	n, form, err := readNumber(text)
	if err != nil {
		return Number{}, err
	}
	if !form {
		return Number{}, fmt.Errorf("%q is not a number: want digits such as 2048 or 0.5", text)
	}
	return n, nil
}

// readNumber says whether text has the form of a number; one that has it and does not fit is an error.
func readNumber(text string) (n Number, form bool, err error) {
	digits, negative := strings.CutPrefix(text, "-")
	whole, places, point := strings.Cut(digits, ".")
	if !allDigits(whole) || point && !allDigits(places) {
		return Number{}, false, nil
	}
	if len(places) > maxPlaces {
		return Number{}, true, fmt.Errorf("number %s has %d places: want at most %d", text, len(places), maxPlaces)
	}
	sign := ""
	if negative {
		sign = "-"
	}
	n.whole, err = strconv.ParseInt(sign+whole, 10, 64)
	if err != nil {
		return Number{}, true, fmt.Errorf("number %s is beyond 64 bits", text)
	}
	if point {
		nanos, _ := strconv.ParseInt(places+strings.Repeat("0", maxPlaces-len(places)), 10, 32)
		n.nanos = int32(nanos)
	}
	if negative {
		n.nanos = -n.nanos
	}
	return n, true, nil
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// Compare is negative, zero or positive as n is less than, equal to or greater than other.
func (n Number) Compare(other Number) int {
	return cmp.Or(cmp.Compare(n.whole, other.whole), cmp.Compare(n.nanos, other.nanos))
}

// Int is the whole part, cut towards zero.
func (n Number) Int() int64 { return n.whole }

// Float is the nearest floating-point number.
func (n Number) Float() float64 { return float64(n.whole) + float64(n.nanos)/1e9 }

// String is the shortest text that ParseNumber reads back as n.
func (n Number) String() string {
	if n.nanos == 0 {
		return strconv.FormatInt(n.whole, 10)
	}
	sign, nanos := "", n.nanos
	if nanos < 0 {
		nanos = -nanos
		if n.whole == 0 {
			sign = "-"
		}
	}
	return strings.TrimRight(fmt.Sprintf("%s%d.%09d", sign, n.whole, nanos), "0")
}
