module component

go 1.24

require airlock v0.0.0

// `airlock-bindings bindings go bindings` writes it.
replace airlock => ./bindings
