from uvreport.cli import main

main()
