// weftd as the commands see it: JSON in, JSON out, and errors in words that name the remedy.
#pragma once
#include "base/asio.hpp"
#include "base/result.hpp"
#include "cli/environment.hpp"

#include <boost/json/value.hpp>
#include <optional>
#include <string>

namespace weft::cli {

class Daemon {
  public:
    /// `address` as for HttpCall; `lab` is the lab's name when it was found by one, else empty.
    explicit Daemon(std::string address, std::string lab = {}) : address_(std::move(address)), lab_(std::move(lab)) {}

    struct Answer {
        unsigned status = 0;
        boost::json::value body;
    };

    /// Any answer that is JSON, whatever its status.
    Result<Answer> call(std::string method, std::string target, std::string body = {},
                        Milliseconds timeout = Milliseconds(60'000)) const;
    /// The body of a 200; anything else is an error with the daemon's own words.
    Result<boost::json::value> get(std::string target, Milliseconds timeout = Milliseconds(60'000)) const;

    /// The body of a 200 as it came, JSON or not; errors as of get().
    Result<std::string> text(std::string target, Milliseconds timeout = Milliseconds(60'000)) const;

    /// The daemon's words in an answer that is not a 200.
    Error error_of(const Answer& answer) const;

    const std::string& address() const { return address_; }

  private:
    std::string address_;
    std::string lab_;
};

/// --api, else --lab, else WEFT_API, else /run/weft/api.sock. A bare path stands for unix:PATH, http://A:P for
/// http:A:P.
Daemon find_daemon(const std::optional<std::string>& api, const std::optional<std::string>& lab,
                   const Environment& environment);

} // namespace weft::cli
