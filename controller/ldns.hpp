// The one include point of ldns (1.8), which is C and would define `bool`, `true` and `false` as macros.
#pragma once
// clang-format off
#include <stdbool.h>
#include <ldns/ldns.h>
// clang-format on

#ifdef true
#error "ldns has redefined true"
#endif
