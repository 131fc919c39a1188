// Result<T>: a value or an Error. Errors of peers, the network and time travel in it; mistakes in an admin's
// files are topology::Problem (they have places); a broken invariant of weft's own is an assertion.
#pragma once
#include <expected>
#include <string>
#include <utility>

namespace weft {

/// What went wrong, by who can do something about it.
enum class ErrorKind {
    io,       ///< the connection or a file: retry after a back-off
    timeout,  ///< no answer within the deadline
    protocol, ///< the peer sent what its protocol does not allow: the session ends
    refused,  ///< the peer understood and said no: repeating the same is pointless
    invalid,  ///< the caller's input
};

struct Error {
    ErrorKind kind = ErrorKind::io;
    std::string text; ///< one sentence for an admin, without a trailing full stop

    bool operator==(const Error&) const = default;
};

template <class T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(ErrorKind kind, std::string text) {
    return std::unexpected(Error{kind, std::move(text)});
}

} // namespace weft
