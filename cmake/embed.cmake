# weft_embed(TARGET DIRECTORY): the files of DIRECTORY that a browser asks for become part of TARGET, as the table
# web_files() of controller/page.hpp. No path of the source tree is needed when the program runs.
function(weft_embed target directory)
  file(GLOB files CONFIGURE_DEPENDS ${directory}/*.html ${directory}/*.js ${directory}/*.css ${directory}/*.svg)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/web_files.cpp)
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} "-DFILES=${files}" -DOUTPUT=${output} -P ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake
    DEPENDS ${files} ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake
    COMMENT "Embedding ${directory}" VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()
