// What Prometheus' client libraries tell of their own process, under the names they have agreed on.
#pragma once
#include <vector>

namespace weft::controller {

struct ProcessMetric {
    const char* name = "";
    const char* help = "";
    bool counts = false; ///< only rises
    double value = 0;
};

/// Of this process, now; what /proc does not tell is left out.
std::vector<ProcessMetric> measure_process();

} // namespace weft::controller
